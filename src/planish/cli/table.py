"""The before/after table in the terminal."""

from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planish.prove.wording import change, interval, number

if TYPE_CHECKING:
    from planish.recipes.outcome import Outcome
    from planish.records.evidence import Evidence

# Of a long list, so many rules.
SHOWN = 40
COLOURS = {"better": "green", "same": "green", "worse": "red", "changed": "red", "unclear": "yellow"}


def show_evidence(outcome: "Outcome") -> None:
    """Print the table and the notes to standard output; n counts what a group of lines was measured on."""
    console = Console(highlight=False)
    groups = [(group, list(lines)) for group, lines in groupby(outcome.evidence, lambda line: line.group)]
    table = Table(box=None, pad_edge=False)
    table.add_column(_heading(groups[0][0]) if groups else "", overflow="fold")
    for heading in ("before", "after", "difference (95 %)", "change", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for place, (group, lines) in enumerate(groups):
        if place:
            table.add_row(f"[bold]{_heading(group)}[/]")
        for line in lines:
            table.add_row(*_cells(line))
    console.print(table)
    for note in outcome.notes:
        console.print(escape(note))


def show_tables(outcome: "Outcome") -> None:
    """Print the further tables of a recipe."""
    console = Console(highlight=False)
    for heading, rows in outcome.tables.items():
        table = Table(box=None, pad_edge=False)
        for place, column in enumerate(rows[0]):
            table.add_column(escape(column), justify="right" if place else "left", overflow="fold")
        for row in rows:
            cells = (number(cell) if isinstance(cell, float) else escape(str(cell)) for cell in row.values())
            table.add_row(*cells)
        console.print(f"\n[bold]{escape(heading)}[/]")
        console.print(table)


def show_rules(outcome: "Outcome") -> None:
    """Print what a recipe that ended early has found."""
    from planish.records.rule import BanRule

    console = Console(highlight=False)
    rules = [rule for rule in outcome.rows.get("bans", ()) if isinstance(rule, BanRule)]
    for rule in rules[:SHOWN]:
        console.print(f"[bold]{escape(rule.text)}[/]  {escape(rule.reason)}", soft_wrap=True)
    if len(rules) > SHOWN:
        console.print(f"and {len(rules) - SHOWN} more in bans.jsonl")
    for note in outcome.notes:
        console.print(escape(note))


def _heading(group: str) -> str:
    return escape(f"on {group}")


def _cells(line: "Evidence") -> list[str]:
    figures = [number(line.before), number(line.after), interval(line), change(line), str(line.n)]
    return [escape(line.name), *figures, f"[{COLOURS[line.verdict]}]{line.verdict}[/]"]
