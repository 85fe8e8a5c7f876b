"""Instructions as a model thinks of them: for a query, or like others."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from planish.errors import DataError
from planish.recipes.asking import Asker
from planish.recipes.blocks import rows_in_blocks
from planish.recipes.calls import Calls
from planish.recipes.prompt_template import seed_instructions
from planish.recipes.written_settings import WrittenSettings
from planish.records.prompt import Prompt
from planish.records.record import Record
from planish.records.reply import Reply
from planish.records.text_file import numbered_lines
from planish.runs.run import Run

STAGE = "thoughts"
# More in one reply, and a model repeats itself.
INSTRUCTIONS_A_REPLY = 20
# What stands before an instruction in a list, what some models call it, and what stands around all of it.
_BULLET = re.compile(r"(?:[-*•]|\(?\d+[.):])\s+")
_NAME = re.compile(r"(?:\*\*)?(?:new )?(?:demand|instruction)\s*:(?:\*\*)?\s*", re.IGNORECASE)
_WRAPPED = re.compile(r"\"([^\"]*)\"|“([^”]*)”|'([^']*)'|`([^`]*)`|\*\*([^*]*)\*\*")


class Thought(Record):
    """What a model thought of, and for which query, where it was shown one; `error` says why there is nothing."""

    text: str
    prompt_id: str = ""
    error: str = ""


def seeds_of(settings: WrittenSettings) -> list[str]:
    """The instructions to think of others by.

    Raises:
        DataError: the file of the settings is not there, or holds none.
    """
    if settings.seeds is None:
        return seed_instructions()
    seeds = [line.strip() for _, line in numbered_lines(Path(settings.seeds)) if line.strip()]
    if not seeds:
        raise DataError(f"{settings.seeds} holds no instruction", "write one instruction a line")
    return seeds


def think(
    run: Run,
    asker: Asker,
    calls: Calls,
    queries: Sequence[Prompt],
    seeds: Sequence[str],
    settings: WrittenSettings,
    seed: int = 0,
) -> list[Thought]:
    """As many thoughts as the settings say, or fewer; a reply that failed is one without a text."""
    if settings.source == "queries":
        return _think_for_queries(run, asker, calls, queries, seeds, settings, seed)
    return _think_of_others(run, asker, calls, seeds, settings, seed)


def _think_for_queries(
    run: Run,
    asker: Asker,
    calls: Calls,
    queries: Sequence[Prompt],
    seeds: Sequence[str],
    settings: WrittenSettings,
    seed: int,
) -> list[Thought]:
    used = queries[: settings.instructions]
    samples = -(-settings.instructions // max(1, len(used)))

    def thoughts(some: Sequence[Prompt]) -> list[Thought]:
        shown = [_drawn(seeds, settings.examples, f"{seed} {query.id}") for query in some]
        requests = [
            calls.new_instruction(query.content, each, samples) for query, each in zip(some, shown, strict=True)
        ]
        replies = zip(some, asker.ask(requests), strict=True)
        return [_first_thought(reply, query.id) for query, own in replies for reply in own]

    return rows_in_blocks(run, STAGE, Thought, used, thoughts, settings.block)[: settings.instructions]


def _think_of_others(
    run: Run, asker: Asker, calls: Calls, seeds: Sequence[str], settings: WrittenSettings, seed: int
) -> list[Thought]:
    rounds = -(-settings.instructions // INSTRUCTIONS_A_REPLY)
    # Where all seeds are shown each time, it is one request with several samples.
    shown = Counter(tuple(_drawn(seeds, settings.examples, f"{seed} {number}")) for number in range(rounds))

    def thoughts(some: Sequence[tuple[tuple[str, ...], int]]) -> list[Thought]:
        requests = [calls.rewrite_instructions(each, INSTRUCTIONS_A_REPLY, samples) for each, samples in some]
        replies = [reply for own in asker.ask(requests) for reply in own]
        # One that does not stop must not take the place of all others.
        return [thought for reply in replies for thought in islice(_thoughts(reply), INSTRUCTIONS_A_REPLY)]

    return rows_in_blocks(run, STAGE, Thought, list(shown.items()), thoughts, settings.block)[: settings.instructions]


def _drawn(seeds: Sequence[str], count: int, seed: str) -> list[str]:
    """Some of the seeds, in their order."""
    draws = random.Random(seed)
    return [seeds[place] for place in sorted(draws.sample(range(len(seeds)), min(count, len(seeds))))]


def _first_thought(reply: Reply, prompt_id: str) -> Thought:
    first = next(_thoughts(reply), Thought(text="", error="the reply is empty"))
    return first.model_copy(update={"prompt_id": prompt_id})


def _thoughts(reply: Reply) -> Iterator[Thought]:
    """One a line; the last of a reply that was cut off is not whole."""
    if reply.status == "failed":
        yield Thought(text="", error=reply.error)
        return
    lines = [line.strip() for line in reply.text.splitlines() if line.strip()]
    for number, line in enumerate(lines, start=1):
        is_cut = reply.finish == "length" and number == len(lines)
        yield Thought(text=_bare(line), error="the reply was cut off" if is_cut else "")


def _bare(line: str) -> str:
    """The line without its bullet, its name, and the quotes or stars around all of it."""
    text = _unwrapped(line.removeprefix(_beginning(_BULLET, line)).strip())
    return _unwrapped(text.removeprefix(_beginning(_NAME, text)).strip())


def _beginning(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return found[0] if found else ""


def _unwrapped(text: str) -> str:
    found = _WRAPPED.fullmatch(text)
    return found[found.lastindex or 0].strip() if found else text
