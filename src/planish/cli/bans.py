"""`planish bans …`."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from planish.errors import UsageError

if TYPE_CHECKING:
    from planish.records.ban_formats import LeftOut

# What a target is without --to.
FORMATS: dict[str, Literal["planish", "text"]] = {".jsonl": "planish", ".ndjson": "planish", ".txt": "text"}

bans = typer.Typer(name="bans", help="Ban lists.", no_args_is_help=True)


@bans.callback()
def _bans() -> None:
    """Ban lists."""


@bans.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A list in any of the formats, or a folder of Auto-Antislop.")],
    target: Annotated[Path, typer.Argument(help="Where to write; a folder for antislop.")],
    to: Annotated[
        Literal["planish", "text", "koboldcpp", "tabbyapi", "antislop"] | None,
        typer.Option(help="The format. Default: planish for .jsonl, text for .txt."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the target.")] = False,
) -> None:
    """Rewrite a ban list in another format."""
    from planish.records.ban_export import export_rules
    from planish.records.ban_import import import_rules

    to = to or FORMATS.get(target.suffix.lower())
    if to is None:
        raise UsageError(f"{target} does not say its format", "add --to planish|text|koboldcpp|tabbyapi|antislop")
    if target.exists() and not force:
        raise UsageError(f"{target} is already there", "add --force to overwrite it")
    rules, left_out = import_rules(source)
    not_held = export_rules(target, rules, to)
    left_out = [*left_out, *not_held]
    for rule in left_out:
        print(f"left out: {rule.text!r}: {rule.reason}", file=sys.stderr)
    print(f"{_count(len(rules) - len(not_held))} written to {target}{_why(left_out)}")


def _count(rules: int) -> str:
    return f"{rules} rule{'' if rules == 1 else 's'}"


def _why(left_out: "Sequence[LeftOut]") -> str:
    reasons = Counter(rule.reason for rule in left_out)
    return (
        f", {len(left_out)} left out: " + ", ".join(f"{count} × {why}" for why, count in reasons.items())
        if reasons
        else ""
    )
