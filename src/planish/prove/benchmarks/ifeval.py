"""IFEval: does a model do what can be checked in what it was told.

Source: Zhou et al., Instruction-Following Evaluation for Large Language Models (2023), arXiv 2311.07911.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, model_validator

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.prove.benchmarks.checkers import NEED_PUNKT, asks_for_sign, fault_of, followed, has_punkt
from planish.prove.benchmarks.figures import Scored
from planish.prove.benchmarks.processes import several, share_out
from planish.prove.benchmarks.rows import read_rows
from planish.records.generation import Generation, successes
from planish.records.prompt import Prompt, opening, writing_prompt
from planish.records.record import Record, read_records
from planish.steer.engine import Engine
from planish.steer.replicas import on_all_cards
from planish.steer.sampling import Sampling

GROUP = "IFEval prompts"


class IfevalPrompt(Record):
    """A prompt, the instructions in it and their arguments, as its data set names them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str
    instruction_id_list: tuple[str, ...]
    kwargs: tuple[dict[str, Any], ...]

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if not self.instruction_id_list or len(self.instruction_id_list) != len(self.kwargs):
            raise ValueError("instruction_id_list and kwargs must be of one length, 1 or more")
        return self


class IfevalResponse(Record):
    """What some model answered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str
    response: str


class IfevalScore(Record):
    """Which instructions of a prompt were followed, in their order."""

    prompt: str
    response: str
    instruction_id_list: tuple[str, ...]
    strict: tuple[bool, ...]
    loose: tuple[bool, ...]


def read_ifeval(data: Path | None, limit: int | None = None) -> tuple[list[IfevalPrompt], list[str]]:
    """The prompts, and a note for those that cannot be checked and are left out.

    Raises:
        DataError: the file cannot be read, a row is off, or no prompt is left.
    """
    prompts = read_rows(data, IfevalPrompt, "google/IFEval", "train")[:limit]
    kept: dict[str, IfevalPrompt] = {}
    notes = []
    for number, prompt in enumerate(prompts, start=1):
        fault = next(filter(None, map(fault_of, prompt.instruction_id_list, prompt.kwargs)), "")
        fault = fault or ("it stands there already" if prompt.prompt in kept else "")
        if fault:
            notes.append(f"prompt {number} left out: {fault}")
        else:
            kept[prompt.prompt] = prompt
    if not kept:
        raise DataError(f"{data}: {notes[0]}", "give each instruction its arguments, as the data set of IFEval does")
    return list(kept.values()), notes


def read_responses(path: Path) -> dict[str, str]:
    """The response to each prompt, from JSONL with `prompt` and `response`.

    Raises:
        DataError: the file cannot be read, a line is off, or a prompt is answered twice.
    """
    rows = read_records(path, IfevalResponse)
    times = Counter(row.prompt for row in rows)
    for number, row in enumerate(rows, start=1):
        if times[row.prompt] > 1:
            raise DataError(f"{path}, line {number}: the prompt is answered {times[row.prompt]} times", "keep one")
    return {row.prompt: row.response for row in rows}


def respond(model: LanguageModel, prompts: Sequence[IfevalPrompt], max_tokens: int) -> tuple[dict[str, str], list[str]]:
    """What a model answers, greedily, and what is to be said of that.

    Raises:
        DataError: not one response could be written.
    """
    # Without a template lm-evaluation-harness gives the bare prompt too.
    as_prompt = writing_prompt if model.is_chat else opening
    engine = Engine(model, sampling=Sampling(temperature=0.0, max_tokens=max_tokens))
    writer = engine if several() else on_all_cards(engine)
    asked = [as_prompt(each.prompt) for each in prompts]

    def write(share: Sequence[Prompt]) -> list[Generation]:
        return writer.generate(share)

    written = share_out(asked, write)
    answers = {prompt.prompt: text.text for prompt, text in zip(prompts, written, strict=True) if text.status == "ok"}
    return answers, _notes_of_writing(model, written)


def score(prompts: Sequence[IfevalPrompt], responses: Mapping[str, str]) -> list[IfevalScore]:
    """Every prompt that has a response, scored as lm-evaluation-harness does."""
    scores = []
    for each in prompts:
        if each.prompt not in responses:
            continue
        response = responses[each.prompt]
        ids = each.instruction_id_list
        strict, loose = followed(each.prompt, list(ids), [dict(given) for given in each.kwargs], response)
        scores.append(
            IfevalScore(prompt=each.prompt, response=response, instruction_id_list=ids, strict=strict, loose=loose)
        )
    return scores


def scored(scores: Sequence[IfevalScore]) -> list[Scored]:
    """The four numbers, and their mean.

    In the mean an instruction weighs as much as it does in all these prompts together, in every resample too.
    """
    instructions = sum(len(each.strict) for each in scores) / max(len(scores), 1)

    def average(each: IfevalScore) -> float:
        by_prompt = all(each.strict) + all(each.loose)
        return (by_prompt + (sum(each.strict) + sum(each.loose)) / instructions) / 4

    numbers = []
    for way in ("strict", "loose"):
        kept = {each.prompt: getattr(each, way) for each in scores}
        whole = {prompt: (float(all(ways)), 1.0) for prompt, ways in kept.items()}
        single = {prompt: (float(sum(ways)), float(len(ways))) for prompt, ways in kept.items()}
        numbers += [
            Scored(f"ifeval_prompt_{way}", "of prompts", whole),
            Scored(f"ifeval_instruction_{way}", "of instructions", single),
        ]
    mean = {each.prompt: (average(each), 1.0) for each in scores}
    return [*numbers, Scored("ifeval_average", "mean of the four", mean)]


def notes_of_scoring(prompts: Sequence[IfevalPrompt]) -> list[str]:
    """Which scores are not what lm-evaluation-harness gives where NLTK's data is there."""
    instructions = [pair for prompt in prompts for pair in zip(prompt.instruction_id_list, prompt.kwargs, strict=True)]
    fallbacks = 0 if has_punkt() else sum(name in NEED_PUNKT for name, _ in instructions)
    signs = sum(asks_for_sign(*pair) for pair in instructions)
    of_all = f"of {len(instructions)} instructions"
    notes = []
    if fallbacks:
        notes.append(f"{fallbacks} {of_all} scored with a fallback: sentences are split without NLTK's punkt_tab")
    if signs:
        notes.append(f"{signs} {of_all} count the sign they name, for which lm-evaluation-harness draws a letter")
    return notes


def _notes_of_writing(model: LanguageModel, written: Sequence[Generation]) -> list[str]:
    kept = successes(written)
    notes = [] if model.is_chat else [f"{model.name} has no chat template: it was given the bare prompts"]
    if len(kept) < len(written):
        error = next(text.error for text in written if text.status == "failed")
        notes.append(f"{model.name} could not write {len(written) - len(kept)} of {len(written)} responses: {error}")
    cut = sum(text.finish == "length" for text in kept)
    if cut:
        notes.append(f"{cut} of {len(written)} responses of {model.name} were cut at the most tokens")
    return notes
