"""`planish generate MODEL [PROMPT…]`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from planish.cli.steering_flags import WRITING, WritingFlags, WritingModel
from planish.cli.terminal_text import harmless
from planish.errors import DataError, UsageError

if TYPE_CHECKING:
    from planish.records.prompt import Prompt
    from planish.steer.engine import Engine
    from planish.steer.row import Row

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
    sampling = flags.sampling()
    engine = flags.engine(model, sampling)
    asked = _prompts(flags, given, as_opening=flags.openings or not engine.model.is_chat)
    with _appended(flags.out) as file:
        show = Show(engine, asked, flags, file)
        if len(asked) == flags.samples == 1 and sys.stdout.isatty() and not flags.json:
            show.streamed()
        else:
            show.all_rows()
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

    def __init__(self, engine: "Engine", prompts: "list[Prompt]", flags: GenerateFlags, file: TextIO | None) -> None:
        self.failed = 0
        self.error = ""
        self._engine = engine
        self._prompts = prompts
        self._flags = flags
        self._file = file

    def all_rows(self) -> None:
        """Row by row."""
        plan = self._engine.plan(top=self._flags.trace)
        finished: dict[tuple[str, int], Row] = {}
        order = [(prompt.id, sample) for prompt in self._prompts for sample in range(self._flags.samples)]
        shown = 0
        for row in self._engine.write(self._prompts, self._flags.samples, self._flags.seed, plan):
            self._keep(row)
            finished[row.prompt.id, row.sample] = row
            # The first to be asked for is shown first, whichever is finished first.
            while shown < len(order) and order[shown] in finished:
                self._show(finished.pop(order[shown]))
                shown += 1

    def streamed(self) -> None:
        """One text, as it is written."""
        words = self._engine.stream(self._prompts[0], self._flags.seed, self._flags.trace)
        try:
            while True:
                print(harmless(next(words)), end="", flush=True)
        except StopIteration as end:
            print()
            self._keep(end.value)
            self._print_trace(end.value)

    def _keep(self, row: "Row") -> None:
        if self._file is not None:
            print(self._line(row), file=self._file, flush=True)
        if row.error:
            self.failed, self.error = self.failed + 1, row.error

    def _line(self, row: "Row") -> str:
        return self._engine.generations([row])[0].model_dump_json()

    def _show(self, row: "Row") -> None:
        if row.error:
            print(f"{_heading(row.prompt)}: {row.error}", file=sys.stderr)
        if self._flags.json:
            print(self._line(row), flush=True)
        elif not row.error:
            self._print_text(row)

    def _print_text(self, row: "Row") -> None:
        is_terminal = sys.stdout.isatty()
        if len(self._prompts) * self._flags.samples > 1:
            sample = f" ({row.sample + 1})" if self._flags.samples > 1 else ""
            print(f"# {_heading(row.prompt)}{sample}")
        print(harmless(row.text) if is_terminal else row.text, end="\n\n" if len(self._prompts) > 1 else "\n")
        self._print_trace(row)
        sys.stdout.flush()

    def _print_trace(self, row: "Row") -> None:
        """A token a line: what it is, how likely it was to the model and in which place, and the likeliest."""
        tokens = self._engine.model
        for trace in row.traces:
            others = "  ".join(f"{tokens.decode([token])!r} {share:.3f}" for token, share in trace.top)
            print(f"{trace.text!r:16} {trace.probability:.3f} {trace.rank:6}  {others}")


def _heading(prompt: "Prompt") -> str:
    words = " ".join(harmless(prompt.content).split())
    return words if len(words) <= HEADING else words[: HEADING - 1] + "…"
