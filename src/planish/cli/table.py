"""The before/after table in the terminal."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from planish.recipes.outcome import Outcome
    from planish.records.evidence import Evidence

COLOURS = {"better": "green", "same": "green", "worse": "red", "changed": "red", "unclear": "yellow"}


def show_evidence(outcome: "Outcome") -> None:
    """Print the table and the notes to standard output."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("on held-out prompts", no_wrap=True)
    for heading in ("before", "after", "difference (95 %)", "change", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for line in outcome.evidence:
        table.add_row(*_cells(line))
    console.print(table)
    for note in outcome.notes:
        console.print(escape(note))


def _cells(line: "Evidence") -> list[str]:
    return [
        escape(line.name),
        f"{line.before:.3g}",
        f"{line.after:.3g}",
        f"{line.low:+.3g} to {line.high:+.3g}",
        "" if line.change is None else f"{line.change:+.0%}",
        str(line.n),
        f"[{COLOURS[line.verdict]}]{line.verdict}[/]",
    ]
