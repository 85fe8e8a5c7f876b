"""One page of what texts overuse, in context, for one source or for several side by side."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from jinja2 import Template
from markupsafe import Markup

from planish.find.slop.examples import Example
from planish.prove.family_plot import family_svg
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
from planish.prove.page import page_template
from planish.prove.report import times_as_often
from planish.prove.wording import number
from planish.records.corpus_profile import CorpusProfile, Figure, Rate
from planish.records.family import Family
from planish.records.rule import BanRule

# So many entries stand open; the others are folded away.
ENTRIES_OPEN = 50
# A page shows so many entries in all, so that it can be sent whatever was read.
MOST_ENTRIES = 400
# Of what several sources share so many rates, and of what is a source's own so many entries.
MOST_SHARED_RATES = 5000
MOST_SHARED, MOST_PRIVATE = 50, 10

# Of each entry that is shown, where it stands.
Examples = Sequence[Sequence[Example]]


class Entry(NamedTuple):
    """An overused entry, how often it is met, and where."""

    rule: BanRule
    rate: Rate
    examples: Sequence[Example]


class Source(NamedTuple):
    """A corpus as the page shows it: the first entries open, more folded, the rest counted."""

    profile: CorpusProfile
    open: Sequence[Entry]
    folded: Sequence[Entry]
    not_shown: int


class Cell(NamedTuple):
    """A figure of one source, as it is written."""

    value: str
    bounds: str = ""


class Row(NamedTuple):
    """A figure of every source."""

    name: str
    cells: Sequence[Cell]


def entries_shown(sources: int) -> int:
    """How many entries of each source a page of so many shows: no more need examples."""
    return max(1, MOST_ENTRIES // sources)


def find_html(
    profiles: Sequence[CorpusProfile],
    examples: Sequence[Examples],
    *,
    family: Family | None = None,
    settings: Mapping[str, object],
    reproduce: str,
    notes: Sequence[str] = (),
) -> str:
    """The page as HTML.

    Args:
        profiles: what was counted, a profile a source.
        examples: for each source, where each of the first `entries_shown` stands.
        family: what several sources have in common.
        settings: all that it takes to do it again: seeds, hashes, versions.
        reproduce: the command.
        notes: caveats of these texts, beside those of all.
    """
    most = entries_shown(len(profiles))
    sources = [_source(profile, own, most) for profile, own in zip(profiles, examples, strict=True)]
    subject = shortened(profiles[0].source) + " overuses" if family is None else f"{len(profiles)} sources overuse"
    languages = sorted({profile.language for profile in profiles})
    return _template().render(
        title=f"What {subject}",
        subtitle=f"compared with people; language: {', '.join(languages)}",
        summary=headline(profiles[0]) if family is None else summary(profiles, family),
        is_broken=False,
        sources=sources,
        has_left_out=any(count for profile in profiles for count in profile.left_out.values()),
        family=family,
        side_by_side=_side_by_side(profiles, family.names) if family else (),
        shared=_shared(family) if family else (),
        private=[(name, private(family, name)[:MOST_PRIVATE]) for name in family.names] if family else (),
        # The picture escapes what it shows.
        tree=Markup(family_svg(family)) if family else None,
        settings=settings,
        reproduce=reproduce,
        caveats=[*filter(None, map(caution, profiles)), *_caveats(settings, languages), *notes],
    )


@cache
def _template() -> Template:
    spoken = (false_discovery, figure_name, headline, interval, number, shortened, times_as_often)
    return page_template("find_page.html.jinja", *spoken)


def _source(profile: CorpusProfile, examples: Examples, most: int) -> Source:
    listed = zip(profile.overused[:most], profile.overused_rates[:most], examples, strict=True)
    entries = [Entry(*entry) for entry in listed]
    return Source(profile, entries[:ENTRIES_OPEN], entries[ENTRIES_OPEN:], len(profile.overused) - len(entries))


def _side_by_side(profiles: Sequence[CorpusProfile], names: Sequence[str]) -> list[Row]:
    """How much was read and listed, then every rate and figure that was counted in all sources."""
    ordered = [next(profile for profile in profiles if profile.source == name) for name in names]
    sizes = {
        "texts": [profile.texts for profile in ordered],
        "words": [profile.words for profile in ordered],
        "entries overused": [len(profile.overused) for profile in ordered],
    }
    figures = [figures_by_name(profile) for profile in ordered]
    return [
        *(Row(name, [Cell(f"{count:,}") for count in counts]) for name, counts in sizes.items()),
        *(Row(figure_name(name), [_cell(own.get(name)) for own in figures]) for name in figures[0]),
    ]


def _cell(figure: Rate | Figure | None) -> Cell:
    return Cell("–") if figure is None else Cell(number(value_of(figure)), interval(figure))


def _shared(family: Family) -> list[Row]:
    most = min(MOST_SHARED, max(1, MOST_SHARED_RATES // len(family.names)))
    shared = [rule for rule in family.rules if rule.shared_by in ("all", "most")]
    return [Row(rule.text, [Cell(number(rate.rate_per_1k_words)) for rate in rule.rates]) for rule in shared[:most]]


def _caveats(settings: Mapping[str, object], languages: Collection[str]) -> list[str]:
    index = settings.get("index")
    people = _people(settings.get("baseline"), languages)
    return [
        f"“People” are {people}. What they were never seen to say is given the highest rate at which it could have "
        "been missed. If your texts are of another kind, compare them with human texts of that kind, by "
        "--baseline.",
        "The list is of over-use, and no proof of bad style: names, subjects and words of the trade are overused too. "
        "What the prompt of a text says is excused in that text, where the source tells its prompts; where it does "
        "not, subjects stand on the list.",
        "An interval holds the rate that would be found in many more documents of the same kind, in 95 of 100 such "
        "measurements (bootstrap over documents). Each line has its own: of many lines, some miss.",
        "q is the share of wrong entries to be expected on the list down to one with that q; an entry is judged "
        "without the texts of the prompt that brings it most. Dispersion is 0 where something is spread as evenly as "
        "the words, and towards 1 where all of it stands in one document.",
        f"The slop index counts {f'the list {index}' if index else 'what other models overuse, a list that ships'}: a "
        "yardstick from another source, for comparing texts and not for judging one sentence.",
    ]


def _people(baseline: object, languages: Collection[str]) -> str:
    if baseline:
        return f"those of {baseline}, beside wordfreq’s lists of words"
    lists = "wordfreq’s lists of words"
    if "en" not in languages:
        return lists
    fiction = (
        "the authors of human fiction in English, some of it modern and more of it novels of 1839 to 1929, which count "
        f"half, beside {lists}"
    )
    return fiction if len(languages) == 1 else f"{fiction}; for other languages these lists alone"
