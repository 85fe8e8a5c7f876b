import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from planish.statistics.log_odds import PRIOR_WORDS, log_odds

COUNTS = st.integers(0, 1000)
WORDS = st.integers(2000, 10**6)
RATES = st.floats(1e-8, 1e-1)
HUMAN_WORDS = st.floats(1e4, 1e9)


@given(COUNTS, WORDS, RATES, HUMAN_WORDS, st.floats(0.5, 50))
def test_it_is_the_formula_of_the_paper(
    count: int, words: int, rate: float, human_words: float, least_ratio: float
) -> None:
    # Equations 15 to 22, a vocabulary of two: the entry, and every other word.
    prior, prior_of_others = PRIOR_WORDS * rate, PRIOR_WORDS * (1 - rate)
    human_count = human_words * rate
    odds = (count + prior) / (words - count + prior_of_others)
    human_odds = (human_count + prior) / (human_words - human_count + prior_of_others)
    variance = 1 / (count + prior) + 1 / (human_count + prior)
    z = (math.log(odds / human_odds) - math.log(least_ratio)) / variance**0.5
    found = log_odds(count, words, rate, human_words, least_ratio)
    assert found.value == pytest.approx(math.log(odds / human_odds), abs=1e-9)
    assert found.z == pytest.approx(z, abs=1e-6)
    assert found.p == pytest.approx(stats.norm.sf(z), abs=1e-9)


@given(COUNTS, WORDS, RATES, HUMAN_WORDS, st.floats(1, 50))
def test_more_copies_never_lower_the_z_of_what_is_overused(
    count: int, words: int, rate: float, human_words: float, least_ratio: float
) -> None:
    before = log_odds(count, words, rate, human_words, least_ratio)
    after = log_odds(count + 1, words + 1, rate, human_words, least_ratio)
    assert after.value > before.value
    if before.z >= 0:
        assert after.z > before.z


@given(st.integers(1, 1000), WORDS, RATES)
def test_the_surer_the_human_rate_the_surer_the_excess(count: int, words: int, rate: float) -> None:
    assert log_odds(count, words, rate, 1e5).standard_error > log_odds(count, words, rate, 1e9).standard_error


@given(WORDS, RATES)
def test_what_was_never_said_is_not_overused(words: int, rate: float) -> None:
    assert log_odds(0, words, rate, 1e9).p > 0.5


def test_what_is_said_as_often_as_people_say_it_has_no_log_odds() -> None:
    same = log_odds(300, 100_000, 0.003, 1e6)
    assert same.value == pytest.approx(0, abs=1e-6)
    assert same.p == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("ratio", [1, 5])
def test_at_the_least_ratio_itself_p_is_below_5_percent_about_5_times_in_100(ratio: int) -> None:
    # The chance of every count at this truth is known, so nothing need be simulated.
    words, rate = 100_000, 1e-3
    small = [count for count in range(1000) if log_odds(count, words, rate, 1e12, ratio).p < 0.05]
    assert 0.02 < stats.poisson.pmf(small, ratio * rate * words).sum() < 0.08
