"""`planish bans …`."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from planish.errors import UsageError

if TYPE_CHECKING:
    from planish.find.slop.review import Answer, Review
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


@bans.command()
def review(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A list (.jsonl), as planish antislop makes it.")],
    texts: Annotated[str | None, typer.Option(help="Where examples come from: a file, folder or data set.")] = None,
    keep: Annotated[list[str] | None, typer.Option(metavar="RULE", help="Keep this rule, and ask nothing.")] = None,
    drop: Annotated[list[str] | None, typer.Option(metavar="RULE", help="Drop this rule, and ask nothing.")] = None,
    soften: Annotated[
        list[str] | None, typer.Option(metavar="RULE=STRENGTH", help="Let this rule pass now and then.")
    ] = None,
) -> None:
    """Go through a ban list, rule by rule; every answer is saved at once."""
    from planish.find.slop.review import Review

    begun = Review(file)
    if keep or drop or soften:
        _answer(begun, keep or (), drop or (), soften or ())
    else:
        _converse(begun, texts)
    counts = begun.counts()
    print(
        f"{_count(counts['keep'])} kept, {counts['drop']} dropped, {counts['soften']} softened, "
        f"{counts['open']} not reviewed yet: {file}"
    )


def _answer(begun: "Review", keep: Sequence[str], drop: Sequence[str], soften: Sequence[str]) -> None:
    """Take the answers from the flags; all of them or, where one is off, none."""
    answers: list[tuple[int, Answer, float | None]] = []
    answers += [(place, "keep", None) for text in keep for place in begun.places(text)]
    answers += [(place, "drop", None) for text in drop for place in begun.places(text)]
    for given in soften:
        text, equals, strength = given.rpartition("=")
        try:
            value = float(strength) if equals else None
        except ValueError:
            value = None
        if value is None or not 0 < value <= 1:
            raise UsageError(f"--soften {given!r} is not RULE=STRENGTH", 'write it like --soften "delve=0.5"')
        answers += [(place, "soften", value) for place in begun.places(text)]
    for place, answer, softened in answers:
        begun.answer(place, answer, softened)


def _converse(begun: "Review", texts: str | None) -> None:
    from planish.cli.review import Conversation
    from planish.find.slop.examples import examples
    from planish.text.corpus import open_corpus

    if begun.first_open() is None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "there is no terminal to ask at", f'planish bans review {begun.path} --drop "RULE" --soften "RULE=0.5"'
        )
    rules = [entry.rule for entry in begun.entries]
    shown = examples(rules, open_corpus(texts).shards) if texts else [[] for _ in rules]
    Conversation(begun, shown, typer.getchar, input).hold()


def _count(rules: int) -> str:
    return f"{rules} rule{'' if rules == 1 else 's'}"


def _why(left_out: "Sequence[LeftOut]") -> str:
    reasons = Counter(rule.reason for rule in left_out)
    return (
        f", {len(left_out)} left out: " + ", ".join(f"{count} × {why}" for why, count in reasons.items())
        if reasons
        else ""
    )
