"""`planish generate MODEL [PROMPT…]`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from planish.cli.steering_flags import WRITING, WritingFlags, WritingModel
from planish.cli.terminal_text import harmless
from planish.errors import DataError, UsageError

if TYPE_CHECKING:
    from planish.models.language_model import LanguageModel
    from planish.records.generation import Generation
    from planish.records.prompt import Prompt
    from planish.steer.beam import BeamSearch
    from planish.steer.engine import Engine

BEAMS = "Beam search"
# What says how the beams go, under the names that the search has for it.
OF_BEAMS = ("groups", "diversity_penalty", "length_penalty")
# So many prompts are searched together; their texts are there together too.
SEARCHED_TOGETHER = 8
# Of a prompt, so many characters stand as a heading.
HEADING = 70
MOST_TRACED = 20


@dataclass(frozen=True)
class GenerateFlags(WritingFlags):
    """How a model is steered, what it writes, and where to."""

    prompts: Annotated[
        str | None, typer.Option(help="Text, JSONL, Parquet or a Hub data set.", rich_help_panel=WRITING)
    ]
    openings: Annotated[
        bool, typer.Option("--openings", help="Prompts are beginnings to be continued.", rich_help_panel=WRITING)
    ]
    samples: Annotated[int, typer.Option(min=1, help="Texts a prompt.", rich_help_panel=WRITING)]
    trace: Annotated[
        int | None,
        typer.Option(
            metavar="K", min=0, max=MOST_TRACED, help="Show each token with the K likeliest.", rich_help_panel=WRITING
        ),
    ]
    json: Annotated[bool, typer.Option("--json", help="Print rows as JSON lines.", rich_help_panel=WRITING)]
    out: Annotated[Path | None, typer.Option(help="Append the rows to this file (JSONL).", rich_help_panel=WRITING)]
    beams: Annotated[
        int | None,
        typer.Option(
            min=1, help="Search the likeliest texts; prints the best, with --json or --out all.", rich_help_panel=BEAMS
        ),
    ]
    groups: Annotated[int | None, typer.Option(min=1, help="Searches side by side.", rich_help_panel=BEAMS)]
    diversity_penalty: Annotated[
        float | None, typer.Option(help="How much one shuns what the others took.", rich_help_panel=BEAMS)
    ]
    length_penalty: Annotated[
        float | None, typer.Option(help="0 favours short texts, more longer ones.", rich_help_panel=BEAMS)
    ]

    def searched(self) -> dict[str, Any]:
        """How the beams go, as far as that was said.

        Raises:
            UsageError: it was said without beams, or beams go together with what is only drawn texts'.
        """
        given = {name: value for name in OF_BEAMS if (value := getattr(self, name)) is not None}
        if self.beams is None:
            for flag in map(_flag, given):
                raise UsageError(f"{flag} is set, but --beams is not", f"add --beams, or leave {flag} out")
            return {}
        for name, drawn in (("samples", self.samples > 1), ("trace", self.trace is not None), ("seed", self.seed != 0)):
            if drawn:
                raise UsageError(
                    f"{_flag(name)} is of texts that are drawn, and --beams draws none", "leave one of them out"
                )
        return {"beams": self.beams, **given}


def generate(
    flags: GenerateFlags,
    model: WritingModel,
    prompt: Annotated[
        list[str] | None, typer.Argument(metavar="[PROMPT]...", help="What to answer or continue; or pipe it in.")
    ] = None,
) -> None:
    """Let a model write while it is steered."""
    given = prompt or ([] if flags.prompts or sys.stdin.isatty() else [sys.stdin.read()])
    given = [text for text in given if text.strip()]
    if not given and not flags.prompts:
        raise UsageError("there is no prompt", 'write one behind the model, like planish generate bundled "Once"')
    from planish.steer.beam import BeamSearch
    from planish.steer.engine import Engine

    sampling, searched = flags.sampling(), flags.searched()
    loaded, steers = flags.loaded(model)
    asked = _prompts(flags, given, as_opening=flags.openings or not loaded.is_chat)
    with _appended(flags.out) as file:
        show = Show(loaded, asked, flags, file)
        if searched:
            show.beams(BeamSearch(loaded, steers, sampling, **searched))
        elif len(asked) == flags.samples == 1 and sys.stdout.isatty() and not flags.json:
            show.streamed(Engine(loaded, steers, sampling))
        else:
            show.all_texts(Engine(loaded, steers, sampling))
    if show.failed == len(asked) * flags.samples:
        raise DataError(f"no text could be written: {show.error}", "mend the cause and run again")


def _prompts(flags: GenerateFlags, given: list[str], *, as_opening: bool) -> "list[Prompt]":
    from planish.records.prompt import opening, writing_prompt
    from planish.records.prompt_file import read_prompts

    make = opening if as_opening else writing_prompt
    read = read_prompts(flags.prompts, as_opening=as_opening) if flags.prompts else []
    # One prompt twice would be answered alike twice.
    return list({prompt.id: prompt for prompt in [*map(make, given), *read]}.values())


@contextmanager
def _appended(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror}", "give another --out") from error
    with file:
        yield file


class Show:
    """Has texts written and shows them, each as soon as it is there."""

    def __init__(
        self, model: "LanguageModel", prompts: "list[Prompt]", flags: GenerateFlags, file: TextIO | None
    ) -> None:
        self.failed = 0
        self.error = ""
        self._model = model
        self._prompts = prompts
        self._flags = flags
        self._file = file

    def all_texts(self, engine: "Engine") -> None:
        """Text by text."""
        plan = engine.plan(top=self._flags.trace)
        finished: dict[tuple[str, int], tuple[Prompt, Generation]] = {}
        order = [(prompt.id, sample) for prompt in self._prompts for sample in range(self._flags.samples)]
        shown = 0
        for row in engine.write(self._prompts, self._flags.samples, self._flags.seed, plan):
            (text,) = engine.generations([row])
            self._keep(text)
            finished[row.prompt.id, row.sample] = row.prompt, text
            # The first to be asked for is shown first, whichever is finished first.
            while shown < len(order) and order[shown] in finished:
                self._show(*finished.pop(order[shown]))
                shown += 1

    def beams(self, search: "BeamSearch") -> None:
        """The texts of a search, best first; the best alone where people read them."""
        for start in range(0, len(self._prompts), SEARCHED_TOGETHER):
            prompts = self._prompts[start : start + SEARCHED_TOGETHER]
            for prompt, texts in zip(prompts, search.generate(prompts), strict=True):
                for text in texts:
                    self._keep(text)
                for text in texts if self._flags.json else texts[:1]:
                    self._show(prompt, text)

    def streamed(self, engine: "Engine") -> None:
        """One text, as it is written."""
        words = engine.stream(self._prompts[0], self._flags.seed, self._flags.trace)
        try:
            while True:
                print(harmless(next(words)), end="", flush=True)
        except StopIteration as end:
            print()
            (text,) = engine.generations([end.value])
            self._keep(text)
            self._print_trace(text)

    def _keep(self, text: "Generation") -> None:
        if self._file is not None:
            print(text.model_dump_json(), file=self._file, flush=True)
        if text.error:
            self.failed, self.error = self.failed + 1, text.error

    def _show(self, prompt: "Prompt", text: "Generation") -> None:
        if text.error:
            print(f"{_heading(prompt)}: {text.error}", file=sys.stderr)
        if self._flags.json:
            print(text.model_dump_json(), flush=True)
        elif not text.error:
            self._print_text(prompt, text)

    def _print_text(self, prompt: "Prompt", text: "Generation") -> None:
        is_terminal = sys.stdout.isatty()
        if len(self._prompts) * self._flags.samples > 1:
            sample = f" ({text.sample + 1})" if self._flags.samples > 1 else ""
            print(f"# {_heading(prompt)}{sample}")
        print(harmless(text.text) if is_terminal else text.text, end="\n\n" if len(self._prompts) > 1 else "\n")
        self._print_trace(text)
        sys.stdout.flush()

    def _print_trace(self, text: "Generation") -> None:
        """A token a line: what it is, how likely it was to the model and in which place, and the likeliest."""
        for trace in text.trace:
            others = "  ".join(f"{self._model.decode([token])!r} {share:.3f}" for token, share in trace.top)
            print(f"{trace.text!r:16} {trace.probability:.3f} {trace.rank:6}  {others}")


def _heading(prompt: "Prompt") -> str:
    words = " ".join(harmless(prompt.content).split())
    return words if len(words) <= HEADING else words[: HEADING - 1] + "…"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
