"""`planish bench ifeval|hellaswag MODEL`."""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planish.api import bench as run_recipe
from planish.cli.run_flags import Device

if TYPE_CHECKING:
    from planish.recipes.bench import Benched

Benchmark = Annotated[str, typer.Argument(metavar="BENCHMARK", help="ifeval or hellaswag.")]
Model = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="A folder, a Hub id, bundled, or a run. Not with --responses.")
]


@dataclass(frozen=True)
class BenchFlags:
    """All settings have a flag of their own."""

    adapter: Annotated[Path | None, typer.Option(help="On MODEL: a folder as PEFT saves it.")]
    data: Annotated[Path | None, typer.Option(help="Its rows, as JSONL or Parquet. Default: the Hub's.")]
    responses: Annotated[Path | None, typer.Option(help="IFEval: what was answered already, as JSONL.")]
    against: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Compare with this one; or with a JSONL file of responses.")
    ]
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many rows.")]
    max_tokens: Annotated[int | None, typer.Option(min=1, help="IFEval: the longest response. Default: 1280.")]
    device: Device
    out: Annotated[Path | None, typer.Option(help="Save the numbers and the score of every row in this new folder.")]
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")]


def bench(flags: BenchFlags, benchmark: Benchmark, model: Model = None) -> None:
    """Score a model on a public benchmark, and against another one."""
    is_main = os.environ.get("RANK", "0") == "0"
    _quieten(no_progress=flags.quiet or not is_main)
    given = {key: value for key, value in asdict(flags).items() if key not in ("json", "quiet", "out")}
    settings = {key: value for key, value in given.items() if value is not None}
    benched = run_recipe(benchmark, model, out=flags.out, **settings)
    if not is_main:
        return
    if flags.json:
        print(json.dumps(_as_json(benched)))
    else:
        _show(benched)
    if flags.out is not None:
        print(f"saved to {flags.out}", file=sys.stderr)


def _quieten(*, no_progress: bool) -> None:
    """Leave the terminal to planish; the harness warns of what is meant here, and its bars can be done without."""
    import logging

    if no_progress:
        os.environ["TQDM_DISABLE"] = "1"  # before anything imports it
    from planish.cli.verb import quieten_libraries

    quieten_libraries()
    logging.getLogger("lm_eval").setLevel(logging.ERROR)


def _as_json(benched: "Benched") -> dict[str, object]:
    return {
        "figures": [figure.model_dump() for figure in benched.figures],
        "evidence": [line.model_dump() for line in benched.evidence],
        "notes": [*benched.notes],
    }


def _show(benched: "Benched") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from planish.cli.table import show_evidence
    from planish.prove.wording import number

    if benched.evidence:
        show_evidence(benched)
        return
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column(f"on {benched.figures[0].group}", overflow="fold")
    for heading in ("score", "95 %", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in benched.figures:
        bounds = f"{number(each.low)} to {number(each.high)}"
        table.add_row(each.name, number(each.value), bounds, str(each.n))
    console.print(table)
    for note in benched.notes:
        console.print(escape(note))
