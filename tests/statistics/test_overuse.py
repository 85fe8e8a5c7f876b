import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.statistics.overuse import rate_ratio_low

COUNTS = st.integers(1, 1000)
WORDS = st.integers(1000, 10**6)
RATES = st.floats(1e-8, 1e-1)


def test_no_occurrence_supports_no_ratio() -> None:
    assert rate_ratio_low(0, words=1000, human_rate=1e-6) == 0


@given(COUNTS, WORDS, RATES)
def test_more_occurrences_support_a_higher_ratio(count: int, words: int, rate: float) -> None:
    assert 0 < rate_ratio_low(count, words, rate) < rate_ratio_low(count + 1, words, rate)


@given(COUNTS, WORDS, RATES)
def test_more_words_or_a_commoner_word_support_a_lower_ratio(count: int, words: int, rate: float) -> None:
    ratio = rate_ratio_low(count, words, rate)
    assert ratio > rate_ratio_low(count, words + 1, rate)
    assert ratio > rate_ratio_low(count, words, rate * 1.01)


@given(COUNTS, WORDS, RATES)
def test_the_bound_is_below_the_ratio_itself_and_nears_it(count: int, words: int, rate: float) -> None:
    ratio = count / words / rate
    assert rate_ratio_low(count, words, rate) < ratio
    assert rate_ratio_low(10**6 * count, 10**6 * words, rate) == pytest.approx(ratio, rel=0.002)


@pytest.mark.parametrize("truth", [5.0, 20.0, 100.0])
def test_the_bound_is_above_the_truth_about_5_times_in_100(truth: float) -> None:
    # The chance of every count at this truth is known, so nothing need be simulated.
    words, human_rate = 1000, 1e-3
    too_high = sum(
        math.exp(count * math.log(truth) - truth - math.lgamma(count + 1))
        for count in range(500)
        if rate_ratio_low(count, words, human_rate) > truth
    )
    assert 0.005 < too_high < 0.08
