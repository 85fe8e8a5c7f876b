"""Score a model, or what it answered, on a public benchmark; and against another one."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from planish.config import Settings
from planish.errors import DataError, MissingPackageError, ModelError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.recipes.outcome import Outcome
from planish.records.evidence import Evidence
from planish.records.record import Record
from planish.runs.disk import explain_refusal, make_folder

if TYPE_CHECKING:
    from planish.prove.benchmarks.figures import Figure, Scored

# What lm-evaluation-harness asks for here; itself first, as all the others come with it.
NEEDED = ("lm_eval", "langdetect", "immutabledict", "nltk", "accelerate", "datasets", "peft")
ADAPTER_CONFIG = "adapter_config.json"
RESPONSES = ".jsonl"


class BenchSettings(Settings):
    """What is scored, and on what."""

    benchmark: str
    """ifeval or hellaswag."""
    model: str | None = None
    """A folder, a Hub id, bundled or tiny."""
    adapter: Path | None = None
    """On the model: a folder as PEFT saves it."""
    data: Path | None = None
    """The benchmark's rows; the Hub's by default."""
    responses: Path | None = None
    """What was answered already, as JSONL; then no model is loaded."""
    against: str | None = None
    """What the model is compared with: another one, or a JSONL file of responses."""
    limit: int | None = Field(default=None, ge=1)
    """Only so many rows."""
    max_tokens: int = Field(default=1280, ge=1)
    """The longest response; 1280 in lm-evaluation-harness."""
    device: str = "auto"
    """cpu, cuda or mps."""


@dataclass(frozen=True)
class Benched(Outcome):
    """Each number of the model with its interval; the evidence compares it with the other model, where there is one."""

    figures: "Sequence[Figure]" = ()


class _Side(NamedTuple):
    model: str | None
    adapter: Path | None
    responses: Path | None

    @property
    def name(self) -> str:
        return str(self.model or self.responses)

    def load(self, device: str) -> LanguageModel:
        from planish.prove.benchmarks.processes import own_device, several

        loaded = load_model(self.name, own_device() if device == "auto" and several() else device)
        return loaded if self.adapter is None else _adapted(loaded, self.adapter)


def bench(settings: BenchSettings, out: Path | None = None) -> Benched:
    """Score on a benchmark. Under `accelerate launch` each process does its share, and all of them know the result.

    Args:
        settings: what is scored, and on what.
        out: a folder for the numbers and the score of every row.

    Raises:
        UsageError: there is no such benchmark, or two settings do not go together.
        DataError: the rows or the responses cannot be read.
        ModelError: a model or its adapter cannot be loaded.
        MissingPackageError: the extra `bench` is not installed.
    """
    run = _benchmark(settings.benchmark)
    _refuse_early(settings)
    if out is not None:
        with explain_refusal(out):
            make_folder(out)
    benched = run(settings, _sides(settings))
    if out is not None and os.environ.get("RANK", "0") == "0":
        with explain_refusal(out):
            benched.save(out)
    return benched


def _sides(settings: BenchSettings) -> list[_Side]:
    """The model, and before it what it is compared with."""
    after = _Side(settings.model, settings.adapter, settings.responses)
    if settings.against is None:
        return [after]
    is_file = settings.against.endswith(RESPONSES)
    before = _Side(None, None, Path(settings.against)) if is_file else _Side(settings.against, None, None)
    return [before, after]


def _benchmark(name: str) -> Callable[[BenchSettings, Sequence[_Side]], Benched]:
    known = {"ifeval": _ifeval, "hellaswag": _hellaswag}
    if name in known:
        return known[name]
    near = get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the benchmarks are: {', '.join(known)}"
    raise UsageError(f"there is no benchmark {name!r}", hint)


def _refuse_early(settings: BenchSettings) -> None:
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingPackageError(package)
    if settings.model is None and settings.responses is None:
        raise UsageError("there is nothing to be scored", "name a model, or --responses FILE")
    if settings.model is not None and settings.responses is not None:
        raise UsageError("both a model and responses are given", "leave one of them out; --against compares two")
    if settings.responses is not None and settings.adapter is not None:
        raise UsageError("responses that are there already know no adapter", "leave out --adapter, or --responses")
    from_file = settings.responses is not None or (settings.against or "").endswith(RESPONSES)
    if settings.benchmark == "hellaswag" and from_file:
        raise UsageError("HellaSwag asks for no responses", "name a model instead of a file of responses")
    if settings.adapter is not None and not (settings.adapter / ADAPTER_CONFIG).is_file():
        raise UsageError(f"{settings.adapter} is no adapter: it has no {ADAPTER_CONFIG}", "give a folder of PEFT's")


def _ifeval(settings: BenchSettings, sides: Sequence[_Side]) -> Benched:
    from planish.prove.benchmarks import ifeval

    prompts, notes = ifeval.read_ifeval(settings.data, settings.limit)
    answered = []
    for side in sides:
        if side.responses is not None:
            answered.append(ifeval.read_responses(side.responses))
            continue
        responses, said = ifeval.respond(side.load(settings.device), prompts, settings.max_tokens)
        answered.append(responses)
        notes += said
    common = [each for each in prompts if all(each.prompt in responses for responses in answered)]
    if not common:
        raise DataError(f"{sides[-1].name} answers none of the prompts", "give the --data that it was written for")
    if len(common) < len(prompts):
        notes.append(f"{len(prompts) - len(common)} of {len(prompts)} prompts have no response: left out")
    scores = [ifeval.score(common, responses) for responses in answered]
    notes += ifeval.notes_of_scoring(common)
    return _benched(ifeval.GROUP, [ifeval.scored(each) for each in scores], scores, notes)


def _hellaswag(settings: BenchSettings, sides: Sequence[_Side]) -> Benched:
    from planish.prove.benchmarks import hellaswag

    rows = hellaswag.read_hellaswag(settings.data, settings.limit)
    scores = [hellaswag.score(side.load(settings.device), rows) for side in sides]
    return _benched(
        hellaswag.GROUP, [hellaswag.scored(each) for each in scores], scores, hellaswag.notes_of_scoring(rows)
    )


def _benched(
    group: str, numbers: "Sequence[Sequence[Scored]]", scores: Sequence[Sequence[Record]], notes: list[str]
) -> Benched:
    """The numbers of one model, or of the one before and the one after."""
    from planish.prove.benchmarks.figures import evidence, figure

    judge = f"lm-evaluation-harness {version('lm_eval')}"
    compared: list[Evidence] = evidence(numbers[0], numbers[1], group, judge) if len(numbers) > 1 else []
    figures = [figure(each, group, judge) for each in numbers[-1]]
    rows = {"scores": scores[-1], "figures": figures} | ({"scores_before": scores[0]} if len(scores) > 1 else {})
    return Benched(compared, rows=rows, notes=notes, figures=figures)


def _adapted(model: LanguageModel, folder: Path) -> LanguageModel:
    from planish.train.adapter import load_adapter

    try:
        return load_adapter(model, folder).model
    except Exception as error:  # an adapter of another model can break any part of two libraries
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        message = f"the adapter {folder} does not fit on {model.name!r}: {reason}"
        raise ModelError(message, "give the model that it was trained on") from error
