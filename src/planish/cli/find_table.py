"""What was found in texts, in the terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planish.cli.terminal_text import harmless
from planish.prove.find_wording import (
    caution,
    false_discovery,
    figure_name,
    figures_by_name,
    headline,
    interval,
    private,
    shortened,
    summary,
    value_of,
)
from planish.prove.report import times_as_often
from planish.prove.wording import number
from planish.records.corpus_profile import CorpusProfile, Figure, Rate
from planish.records.family import Family
from planish.records.rule import BanRule

PER = "per 1k words (95 %)"


def show_profile(profile: CorpusProfile, top: int) -> None:
    """Print what one source overuses, its structures, and its figures."""
    console = _console()
    _print(console, headline(profile), caution(profile))
    entries = list(zip(profile.overused, profile.overused_rates, strict=True))
    if entries[:top]:
        listed = _table("overused", "hits", "texts", PER, "people", "times", "q")
        for rule, rate in entries[:top]:
            _add(listed, rule.text, [*_counts(rate), *_against_people(rule)])
        console.print(listed)
    if len(entries) > top:
        console.print(f"and {len(entries) - top:,} more: --top shows more of them, --out saves all")
    structures = _table("structure", "hits", "texts", PER, "dispersion")
    for rate in profile.structures:
        _add(structures, figure_name(rate.name), [*_counts(rate), number(rate.dispersion)])
    console.print("", structures)
    figures = _table("figure", "value (95 %)", "n")
    for figure in profile.figures:
        unit = f", {figure.unit}" if figure.unit else ""
        _add(figures, figure_name(figure.name) + unit, [_with_bounds(figure), f"{figure.n:,}"])
    console.print("", figures, "")
    show_index([profile])


def show_index(profiles: Sequence[CorpusProfile]) -> None:
    """Print the slop index of each source, and which list it counts."""
    console = _console()
    table = _table("slop index", "hits", "texts", PER, "words")
    for profile in profiles:
        _add(table, profile.source, [*_counts(profile.index), f"{profile.words:,}"])
    console.print(table)
    console.print(f"list: {profiles[0].index_version}")


def show_family(profiles: Sequence[CorpusProfile], family: Family, top: int) -> None:
    """Print several sources side by side, what they share, what only one says, and the tree."""
    console = _console()
    _print(console, summary(profiles, family), *map(caution, profiles))
    ordered = [next(profile for profile in profiles if profile.source == name) for name in family.names]
    sizes = _table("source", "texts", "words", "overused", "slop index (95 %)")
    for place, profile in enumerate(ordered, start=1):
        counts = [f"{count:,}" for count in (profile.texts, profile.words, len(profile.overused))]
        _add(sizes, f"{place} {profile.source}", [*counts, _with_bounds(profile.index)])
    console.print(sizes)
    console.print(f"list of the index: {ordered[0].index_version}")
    console.print("", _side_by_side(ordered), "", _shared(family, top), "")
    for place, name in enumerate(family.names, start=1):
        own = private(family, name)
        more = f", and {len(own) - top:,} more" if len(own) > top else ""
        _print(console, f"only {place} {name}: {_quoted(own[:top]) or 'nothing'}{more}")
    console.print("\ntree: the share of two lists that is not on both")
    _print(console, *tree_lines(family))


def show_notes(notes: Sequence[str]) -> None:
    """Print what was chosen automatically."""
    _print(_console(), *notes)


def tree_lines(family: Family) -> list[str]:
    """The tree in text, from its root on the left to the names."""
    branches = [[name] for name in family.names]
    for merge in family.merges:
        distance = f"{merge.distance:.2f} "
        # Of each branch how its first line and the lines below it begin.
        beginnings = [(f"{distance}┬ ", " " * len(distance) + "│ ")]
        beginnings.append((" " * len(distance) + "└ ", " " * len(distance) + "  "))
        joined = []
        for side, (first, below) in zip((merge.first, merge.second), beginnings, strict=True):
            head, *rest = branches[side]
            joined += [first + head, *(below + line for line in rest)]
        branches.append(joined)
    return branches[-1]


def _side_by_side(profiles: Sequence[CorpusProfile]) -> Table:
    figures = [figures_by_name(profile) for profile in profiles]
    table = _table("rates per 1k words, and means", *(str(place) for place in range(1, len(profiles) + 1)))
    for name in list(figures[0])[1:]:
        _add(table, figure_name(name), [number(value_of(own[name])) if name in own else "–" for own in figures])
    return table


def _shared(family: Family, top: int) -> Table:
    shared = [rule for rule in family.rules if rule.shared_by in ("all", "most")]
    table = _table("shared, per 1k words", *(str(place) for place in range(1, len(family.names) + 1)))
    for rule in shared[:top]:
        _add(table, rule.text, [number(rate.rate_per_1k_words) for rate in rule.rates])
    if not shared:
        _add(table, "nothing is on most lists", [""] * len(family.names))
    return table


def _console() -> Console:
    return Console(highlight=False)


def _print(console: Console, *lines: str) -> None:
    for line in filter(None, lines):
        console.print(_safe(line), soft_wrap=True)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _add(table: Table, name: str, cells: Iterable[str]) -> None:
    table.add_row(_safe(shortened(name)), *cells)


def _counts(rate: Rate) -> list[str]:
    return [f"{rate.hits:,}", f"{rate.texts:,}", _with_bounds(rate)]


def _against_people(rule: BanRule) -> list[str]:
    if rule.overuse is None:
        return ["–"] * 3
    return [number(rule.overuse.human_rate_per_1k_words), times_as_often(rule), false_discovery(rule.overuse.q)]


def _with_bounds(figure: Rate | Figure) -> str:
    return f"{number(value_of(figure))} ({interval(figure)})"


def _quoted(texts: Sequence[str]) -> str:
    return ", ".join(f"“{shortened(text)}”" for text in texts)


def _safe(text: str) -> str:
    return escape(harmless(text))
