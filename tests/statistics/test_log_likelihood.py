import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from planish.statistics.log_likelihood import log_likelihood

COUNTS = st.integers(1, 1000)
WORDS = st.integers(1001, 10**7)


@given(COUNTS, WORDS, COUNTS, WORDS)
def test_g2_is_that_of_scipy(count: int, words: int, other_count: int, other_words: int) -> None:
    table = [[count, words - count], [other_count, other_words - other_count]]
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert log_likelihood(count, words, other_count, other_words) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@given(COUNTS, WORDS)
def test_the_same_rates_are_no_surprise(count: int, words: int) -> None:
    assert log_likelihood(count, words, 3 * count, 3 * words) == pytest.approx(0, abs=1e-6)


def test_what_others_never_say_is_a_surprise() -> None:
    # Twice 10 ln 2 + 990 ln (990 / 995) + 1000 ln (1000 / 995).
    assert log_likelihood(10, 1000, 0, 1000) == pytest.approx(13.9132, abs=1e-4)
