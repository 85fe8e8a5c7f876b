"""Corpora that nobody counted: profiles and a family for tests of what is shown of them."""

from collections.abc import Mapping, Sequence

from planish.find.slop.family import compared, family
from planish.records.corpus_profile import CorpusProfile, Figure, Rate
from planish.records.family import Family
from planish.records.rule import BanRule, Overuse


def rate(name: str, per_1k: float = 0.5) -> Rate:
    return Rate(
        name=name, hits=1234, texts=56, rate_per_1k_words=per_1k, low=0.8 * per_1k, high=1.25 * per_1k, dispersion=0.31
    )


def rule(text: str, q: float = 0.0123) -> BanRule:
    overuse = Overuse(
        count=1234, texts=56, rate_per_1k_words=0.5, human_rate_per_1k_words=0.01, log_odds=3.9, z=9.0, q=q
    )
    return BanRule(text=text, reason="said in text after text", overuse=overuse)


def profile(
    source: str = "stories.txt",
    overused: Sequence[str] = ("a testament to", "thick with", "tang of"),
    texts: int = 205,
    left_out: Mapping[str, int] | None = None,
    structure: str = "not X but Y",
) -> CorpusProfile:
    return CorpusProfile(
        source=source,
        language="en",
        texts=texts,
        words=197_832,
        characters=1_000_000,
        left_out=dict(left_out or {}),
        overused=tuple(map(rule, overused)),
        overused_rates=tuple(map(rate, overused)),
        index=rate("slop_index", 8.125),
        index_version="1a2b3c4d",
        structures=(rate(structure, 0.75),),
        figures=(Figure(name="mattr", unit="share", value=0.625, low=0.5, high=0.75, n=200),),
    )


def family_of(profiles: Sequence[CorpusProfile]) -> Family:
    """Each says what is on its own list ten times as often as what is only on others'."""
    lists = {one.source: [entry.text for entry in one.overused] for one in profiles}
    rates = {
        name: {text: rate(text, 1.0 if text in own else 0.1) for text in compared(lists)} for name, own in lists.items()
    }
    return family(lists, rates)
