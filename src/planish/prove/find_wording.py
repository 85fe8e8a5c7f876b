"""What was counted in a corpus, put into words: one voice for terminal and page."""

from collections.abc import Mapping, Sequence

from planish.prove.report import times_as_often
from planish.prove.wording import PLAIN_NAMES, number
from planish.records.corpus_profile import CorpusProfile, Figure, Rate
from planish.records.family import Family

NAMES = {
    **PLAIN_NAMES,
    "slop_index": "slop index",
    "mattr": "variety of words (MATTR)",
    "mtld": "variety of words (MTLD)",
}
# With fewer texts, a phrase in all of them may be what they are about, and an interval over them says little.
HANDFUL = 5
# A smaller false-discovery rate is as good as none.
LEAST_Q = 1e-6
# A phrase may be as long as a text.
MOST_CHARACTERS = 120


def headline(profile: CorpusProfile) -> str:
    """The whole list in one sentence: what leads it, how long it is, and what was read for it."""
    read = f"{counted(profile.texts, 'text')} ({counted(profile.words, 'word')}){_left_out(profile)}"
    if not profile.overused:
        return f"{profile.source}: nothing is surely overused, in {read}."
    first = profile.overused[0]
    entries = "1 entry is" if len(profile.overused) == 1 else f"{len(profile.overused):,} entries are"
    return (
        f"{profile.source} overuses “{shortened(first.text)}” most: {times_as_often(first)} as often as people. "
        f"{entries} overused, in {read}."
    )


def summary(profiles: Sequence[CorpusProfile], family: Family) -> str:
    """What several sources have in common, in one sentence."""
    shared = {kind: sum(rule.shared_by == kind for rule in family.rules) for kind in ("all", "most", "private")}
    words = sum(profile.words for profile in profiles)
    return (
        f"Of the {len(family.rules):,} things that lead the lists of {len(profiles)} sources ({words:,} words), "
        f"{shared['all']:,} stand on all lists, {shared['most']:,} more on most, and {shared['private']:,} are the "
        "mark of one source."
    )


def private(family: Family, name: str) -> list[str]:
    """What only one source says so much."""
    return [rule.text for rule in family.rules if rule.shared_by == "private" and rule.listed_by == (name,)]


def caution(profile: CorpusProfile) -> str:
    """What cannot be concluded where there are hardly any texts; empty where there are enough."""
    if profile.texts >= HANDFUL:
        return ""
    return (
        f"{profile.source}: with {counted(profile.texts, 'text')}, what is overused cannot be told from what is told "
        "about. The slop index and the structures are counts of just what was read."
    )


def figures_by_name(profile: CorpusProfile) -> Mapping[str, Rate | Figure]:
    """The index, the structures and the figures, in that order."""
    figures: list[Rate | Figure] = [profile.index, *profile.structures, *profile.figures]
    return {figure.name: figure for figure in figures}


def figure_name(name: str) -> str:
    """What a figure is, for a reader who knows no technical name."""
    return NAMES.get(name, name)


def value_of(figure: Rate | Figure) -> float:
    """The figure itself: of a rate, that per 1,000 words."""
    return figure.rate_per_1k_words if isinstance(figure, Rate) else figure.value


def interval(figure: Rate | Figure) -> str:
    """The 95 % bounds."""
    return f"{number(figure.low)} to {number(figure.high)}"


def false_discovery(q: float) -> str:
    """A false-discovery rate."""
    return f"< {LEAST_Q:.0e}" if q < LEAST_Q else number(q)


def shortened(text: str) -> str:
    """What fits into a cell."""
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def counted(count: int, noun: str) -> str:
    """So many of them."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _left_out(profile: CorpusProfile) -> str:
    reasons = ", ".join(f"{count:,} × {reason}" for reason, count in profile.left_out.items() if count)
    return f"; left out or mended: {reasons}" if reasons else ""
