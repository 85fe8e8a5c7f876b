from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest

from planish.find.slop.profile import Measured, measure
from planish.find.slop.tallies import LONG_ENOUGH, WINDOW
from planish.records.corpus_profile import Figure, Rate
from planish.records.rule import BanRule
from planish.statistics.diversity import moving_type_token_ratio, mtld
from planish.statistics.poisson_bootstrap import count_bounds
from planish.text.corpus import Document, Shard, TextShard
from planish.text.words import words

RULES = [BanRule(text="gentle smile"), BanRule(text="smile"), BanRule(text="tapestry")]
INDEX = [BanRule(text="smile"), BanRule(text="a gentle smile"), BanRule(text="hum")]


def shards(texts: Sequence[str], size: int = 3) -> list[Shard]:
    return [TextShard(tuple(map(Document, texts[start : start + size]))) for start in range(0, len(texts), size)]


def measured(texts: Sequence[str], rules: Sequence[BanRule] = RULES, size: int = 3, seed: int = 0) -> Measured:
    return measure(shards(texts, size), rules, INDEX, seed=seed)


def stories(number: int = 40, seed: int = 0) -> list[str]:
    """Some short, some long, in which what is listed stands here and there."""
    draws = np.random.default_rng(seed)
    said = ["smile", "a gentle smile", "tapestry", "hum", *(f"{one}{two}" for one in "bdfgk" for two in "aeiou")]
    return [" ".join(draws.choice(said, draws.integers(20, 300))) + "." for _ in range(number)]


def figure(found: Measured, name: str) -> Figure:
    return next(each for each in found.figures if each.name == name)


def test_rates_are_sums_of_hits_over_sums_of_words() -> None:
    found = measured(["A smile. A gentle smile!", "no", "a smile in a tapestry of words"])
    assert [(each.name, each.hits, each.texts) for each in found.rates] == [
        ("gentle smile", 1, 1),
        ("smile", 3, 2),
        ("tapestry", 1, 1),
    ]
    assert (found.texts, found.words) == (3, 13)
    assert [each.rate_per_1k_words for each in found.rates] == pytest.approx([1000 / 13, 3000 / 13, 1000 / 13])


def test_the_index_is_one_list_without_overlap() -> None:
    index = measured(["A smile. A gentle smile!", "no", "hum"]).index_rate
    assert (index.name, index.hits, index.texts) == ("slop_index", 3, 2)


def test_the_rate_of_a_rule_does_not_depend_on_the_others() -> None:
    texts = stories()
    together = measured(texts).rates
    alone = tuple(measured(texts, [rule]).rates[0] for rule in RULES)
    assert together == alone


def test_how_a_corpus_falls_into_shards_and_how_many_read_it_changes_nothing() -> None:
    texts = stories()
    one = measured(texts, size=len(texts))
    assert measured(texts, size=7) == one
    assert measure(shards(texts, 7), RULES, INDEX, processes=2) == one


def test_the_order_of_the_documents_changes_nothing_but_roundings() -> None:
    texts = stories()
    forwards, backwards = measured(texts), measured(texts[::-1])
    assert backwards.figures == forwards.figures
    for one, other in zip(forwards.rates, backwards.rates, strict=True):
        assert other.model_copy(update={"dispersion": 0.0}) == one.model_copy(update={"dispersion": 0.0})
        assert other.dispersion == pytest.approx(one.dispersion)


def test_a_seed_draws_other_documents_and_no_other_value() -> None:
    texts = stories()
    one, other = measured(texts), measured(texts, seed=1)
    assert [each.value for each in one.figures] == [each.value for each in other.figures]
    assert {each.low for each in one.figures} != {each.low for each in other.figures}


def test_more_documents_make_an_interval_narrower_by_their_root() -> None:
    few, many = (measured(stories(number)).rates[1] for number in (50, 800))
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.4)


def test_hits_that_come_in_few_documents_have_a_wide_interval_and_a_high_dispersion() -> None:
    spread = measured([f"smile da{number} " + "da " * 98 for number in range(50)])
    heaped = measured([("smile " * 50 if not number else f"da{number} ") + "da " * 99 for number in range(50)])
    (_, even, _), (_, uneven, _) = spread.rates, heaped.rates
    assert even.hits == uneven.hits == 50
    assert even.dispersion == pytest.approx(0, abs=1e-9)
    assert uneven.dispersion > 0.9
    assert uneven.high - uneven.low > 3 * (even.high - even.low)


def test_no_interval_of_a_rate_is_narrower_than_that_of_as_many_lone_hits() -> None:
    """One document says nothing of others, and what was not met may still be there."""
    found = measured(["smile " * 5 + "da " * 95])
    hits = np.array([0.0, 5.0, 0.0])
    for each, low, high in zip(found.rates, *count_bounds(hits), strict=True):
        assert (each.low, each.high) == pytest.approx((10 * low, 10 * high))


def test_diversity_is_a_mean_over_the_texts_that_are_long_enough() -> None:
    texts = stories()
    long = [words(text) for text in texts if len(words(text)) >= LONG_ENOUGH]
    assert 0 < len(long) < len(texts)
    found = measured(texts)
    ratios = [moving_type_token_ratio(each, WINDOW) for each in long]
    lengths = [mtld(each) for each in long]
    for name, values in (("mattr", ratios), ("mtld", lengths)):
        each = figure(found, name)
        assert each.n == len(long)
        assert each.value == pytest.approx(np.mean(values), abs=1e-5)
        spread = 1.96 * np.std(values) / len(values) ** 0.5
        assert (each.low, each.high) == pytest.approx((np.mean(values) - spread, np.mean(values) + spread), rel=0.1)


def test_a_figure_that_no_text_can_tell_is_left_out() -> None:
    names = [each.name for each in measured(["too short"]).figures]
    assert names == ["words_per_text", "repetition", "refusal_share"]


def test_repetition_and_length_are_summed_over_the_texts() -> None:
    found = measured(["one two three four five", "one two three four one two three four", "one"])
    assert figure(found, "repetition").value == pytest.approx(8 / 14)
    assert figure(found, "words_per_text").value == pytest.approx(14 / 3)


def test_refusals_are_counted_by_text() -> None:
    refusal = "I'm sorry, but I can't assist with that request. I cannot help with this."
    assert figure(measured([refusal, "A story.", "Another.", "More."]), "refusal_share").value == 0.25


def test_that_no_text_refused_does_not_mean_that_none_ever_will() -> None:
    share = figure(measured(["A story."] * 50), "refusal_share")
    assert (share.value, share.low) == (0, 0)
    assert share.high == pytest.approx(3.69 / 50, abs=0.001)


def test_structures_are_counted_by_their_names() -> None:
    texts = ["It was not a house, but a home. It wasn't anger, it was grief.", *stories(5)]
    found = {each.name: each for each in measured(texts).structures}
    assert all(isinstance(each, Rate) for each in found.values())
    assert sum(each.hits for each in found.values()) > 0


class Damaged(NamedTuple):
    """A shard that says what it could not read."""

    held: tuple[Document, ...]

    def documents(self, left_out: Counter[str]) -> Iterator[Document]:
        yield from self.held
        left_out["not text"] += 2


def test_what_could_not_be_read_is_told_by_reason() -> None:
    held = tuple(map(Document, stories(4)))
    assert measure([Damaged(held[:2]), Damaged(held[2:])], RULES, INDEX).left_out == {"not text": 4}


def test_text_without_words_and_broken_characters_are_read() -> None:
    found = measured(["…", "", "\ud800 smile"])
    assert (found.texts, found.words, found.rates[1].hits) == (3, 1, 1)
