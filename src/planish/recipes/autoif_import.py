"""What the AutoIF project recorded of its own runs, as replies to our requests."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from planish.errors import DataError
from planish.models.reply_store import ReplyStore
from planish.recipes.calls import Calls
from planish.records.reply import Draw, Reply, Request
from planish.records.text_file import numbered_lines

Row = Mapping[str, Any]

SEEDS, THOUGHT_OF = "seed_instruction.txt", "augment_instructions.txt"


class Recorded(NamedTuple):
    """A request and a reply to it; `is_part` where that was put together from parts of one, which the files repeat."""

    request: Request
    text: str
    is_part: bool = False


Replies = Iterator[Recorded]


def import_autoif(folder: Path, store: ReplyStore, calls: Calls) -> Counter[str]:
    """Read the recorded replies in a folder into a store; how many there are of each call is said.

    Several replies to one request are its samples, in the order of the files. A row that is not as expected counts as
    `skipped`.

    Raises:
        DataError: none of the files is there.
    """
    skipped = Counter[str]()
    replies = list(_numbered(_recorded(folder, calls, skipped)))
    if not replies and not skipped:
        raise DataError(f"{folder} holds no outputs of AutoIF", f"it should have files such as {', '.join(READERS)}")
    store.add(replies)
    return Counter(reply.template.partition("@")[0] for reply in replies) + skipped


def _numbered(found: Replies) -> Iterator[Reply]:
    texts: dict[str, list[str]] = {}
    for request, text, is_part in found:
        known = texts.setdefault(request.key, [])
        if not (is_part and text in known):
            known.append(text)
            yield Draw(request, len(known) - 1).reply(text, "stop")


def _recorded(folder: Path, calls: Calls, skipped: Counter[str]) -> Replies:
    if (folder / SEEDS).is_file() and (folder / THOUGHT_OF).is_file():
        seeds, thought_of = ([line for _, line in numbered_lines(folder / name)] for name in (SEEDS, THOUGHT_OF))
        yield Recorded(calls.rewrite_instructions(seeds), "\n".join(thought_of))
    for name, read in READERS.items():
        path = folder / name
        for _, line in numbered_lines(path) if path.is_file() else ():
            try:
                yield from list(read(calls, from_json(line)))
            except (KeyError, TypeError, ValueError):
                skipped["skipped"] += 1


def _verifiers(calls: Calls, row: Row) -> Replies:
    """Whole replies, which hold a program and its cases."""
    for reply in row["gpt-answer"]:
        yield Recorded(calls.write_verifier(row["instruction"]), reply)


def _vetted(calls: Calls, row: Row) -> Replies:
    """Programs and cases that were taken out of replies, and what the first programs were translated back to."""
    yield from _programs(calls, row["instruction"], row)
    for (code, _), instruction in zip(row["eval_func"], row["back_instruction"], strict=False):
        yield Recorded(calls.back_translate(code), instruction)


def _answers(calls: Calls, row: Row) -> Replies:
    query = row["prompt"].partition("[Query] ")[2]
    yield from _programs(calls, row["instruction"], row)
    for reply in row["gpt-answer"]:
        yield Recorded(calls.answer(query, row["instruction"]), reply)


def _answers_in_one_turn(calls: Calls, row: Row) -> Replies:
    instruction, query = _parted(row["prompt"])
    yield from _programs(calls, instruction, row)
    for reply in row["gpt-answer"]:
        yield Recorded(calls.answer(query, instruction), reply)


def _scored_answers(calls: Calls, row: Row) -> Replies:
    instruction, query = _parted(row["query"])
    for reply, _ in row["response"]:
        yield Recorded(calls.answer(query, instruction), reply)


def _judgements(calls: Calls, row: Row) -> Replies:
    for reply in row["gen"]:
        yield Recorded(calls.judge_quality(row["query"], row["instruction"], row["response"]), reply)


def _programs(calls: Calls, instruction: str, row: Row) -> Replies:
    """Programs and cases as a model would have written them that was asked for each of them alone."""
    for code, _ in row["eval_func"]:
        yield Recorded(calls.write_verifier(instruction), f"```python\n{code}\n```", is_part=True)
    cases = [json.dumps({"response": text, "result": result}) for text, result in row.get("cases", ())]
    if cases:
        yield Recorded(calls.write_cases_blind(instruction), "\n".join(cases), is_part=True)


def _parted(asked: str) -> tuple[str, str]:
    """The instruction and the query of a turn that holds one after the other; the full stop at its end is not its own.

    Raises:
        ValueError: there is only one of them.
    """
    instruction, stop, query = asked.partition(". ")
    if not stop:
        raise ValueError("no query")
    return instruction, query.removesuffix(".")


READERS: Mapping[str, Callable[[Calls, Row], Replies]] = {
    "eval_func_rft.jsonl": _verifiers,
    "back_trans.jsonl": _vetted,
    "query_rft.jsonl": _answers,
    "dpo_query_w_funcs.jsonl": _answers_in_one_turn,
    "dpo_query_eval_score_results.jsonl": _scored_answers,
    "query_rft_score.jsonl": _judgements,
}
