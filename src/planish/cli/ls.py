"""`planish ls`."""

from pathlib import Path
from typing import Annotated

import typer

from planish.api import RUNS


def ls(folder: Annotated[Path, typer.Argument(help="Where the runs are.")] = RUNS) -> None:
    """List the runs, the earliest first."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from planish.runs.catalogue import list_runs

    table = Table(box=None, pad_edge=False)
    for heading in ("run", "recipe", "state", "progress", "started"):
        table.add_column(heading)
    for run in list_runs(folder):
        table.add_row(*map(escape, (run.folder.name, run.recipe, run.state, run.progress, run.started)))
    Console(highlight=False).print(table if table.row_count else escape(f"no runs in {folder}"))
