"""`planish profile TEXT…`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from planish.errors import UsageError

KINDS = ("words", "pairs", "threes")
# Empties the line of a terminal.
CLEAR = "\r\x1b[K"


def profile(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="TEXT...", help="What people wrote: text, JSONL, CSV, Parquet, folders, Hub data sets."),
    ],
    out: Annotated[Path, typer.Option(help="The profile.")] = Path("human.parquet"),
    language: Annotated[str | None, typer.Option(help="Of the texts, such as de. Default: told by words.")] = None,
    text_column: Annotated[str | None, typer.Option(help="The column of a table that holds the texts.")] = None,
    entries: Annotated[
        int, typer.Option(min=1, help="Words that are kept, pairs of words, and threes: so many of each.")
    ] = 1_000_000,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the profile.")] = False,
) -> None:
    """Count what people write: a baseline of your own."""
    from planish.find.human_counts import make_profile

    if out.exists() and (out.is_dir() or not force):
        raise UsageError(f"{out} is already there", "give another --out, or add --force to overwrite a file")
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent}", "make it, or give another --out")
    made = make_profile(sources, out, language, text_column, entries, _show)
    print(f"{CLEAR if sys.stderr.isatty() else ''}{made.language.reason}", file=sys.stderr)
    for name, counted in made.registers.items():
        for reason, documents in counted.left_out.items():
            print(f"{name}: {documents} left out: {reason}", file=sys.stderr)
        cuts = ", ".join(f"{kind} from {cut} times on" for kind, cut in zip(KINDS, counted.cuts, strict=True))
        print(f"{name}: {counted.texts:,} texts, {counted.totals[0]:,} words; kept are {cuts}")
    print(f"written to {out}; compare with it: planish find TEXTS --baseline {out}")


def _show(name: str, words: int) -> None:
    """How far it has come, where somebody watches."""
    if sys.stderr.isatty():
        print(f"{CLEAR}{name}: {words:,} words …", end="", file=sys.stderr, flush=True)
