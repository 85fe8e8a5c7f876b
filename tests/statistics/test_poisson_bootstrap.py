import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2, poisson

from planish.statistics.poisson_bootstrap import count_bounds, poisson_weights, ratio_bounds


def keys(number: int, seed: int = 0) -> NDArray[np.uint64]:
    return np.random.default_rng(seed).integers(2**64, size=number, dtype=np.uint64)


def test_documents_count_as_often_as_a_poisson_draw_of_mean_1() -> None:
    weights = poisson_weights(keys(2000), 500)
    draws = weights.size
    for count in range(6):
        share, expected = (weights == count).mean(), math.exp(-1) / math.factorial(count)
        assert abs(share - expected) < 5 * math.sqrt(expected / draws)
    assert abs(weights.mean() - 1) < 5 / math.sqrt(draws)
    assert abs(weights.var() - 1) < 0.01


def test_neighbouring_keys_and_resamples_draw_independently() -> None:
    weights = poisson_weights(np.arange(1000, dtype=np.uint64), 1000)
    for one, other in ((weights[1:], weights[:-1]), (weights[:, 1:], weights[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.005


def test_what_a_document_draws_depends_on_its_key_alone() -> None:
    every = keys(50)
    whole = poisson_weights(every, 40)
    assert (poisson_weights(every[20:30], 40) == whole[20:30]).all()
    assert (poisson_weights(every, 30) == whole[:, :30]).all()


def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    draws = np.random.default_rng(0)
    covered, trials, documents, rate = 0, 400, 60, 0.02
    for trial in range(trials):
        words = draws.integers(200, 800, size=documents).astype(float)
        # Documents differ in habit, so that counts spread wider than those of a coin.
        hits = draws.poisson(rate * words * draws.gamma(3, 1 / 3, size=documents)).astype(float)
        weights = poisson_weights(keys(documents, seed=trial + 1), 400)
        bounds = ratio_bounds(hits[None] @ weights, words @ weights)
        covered += bounds.low[0] <= rate <= bounds.high[0]
    assert 0.90 * trials < covered < 0.99 * trials


def test_bounds_agree_with_documents_drawn_with_replacement() -> None:
    draws = np.random.default_rng(0)
    words = draws.integers(50, 300, size=200).astype(float)
    hits = draws.poisson(words / 40).astype(float)
    weights = poisson_weights(keys(200), 4000)
    ours = ratio_bounds(hits[None] @ weights, words @ weights)
    chosen = draws.integers(200, size=(4000, 200))
    low, high = np.percentile(hits[chosen].sum(axis=1) / words[chosen].sum(axis=1), [2.5, 97.5])
    assert ours.low[0] == pytest.approx(low, rel=0.02)
    assert ours.high[0] == pytest.approx(high, rel=0.02)


def test_a_resample_without_a_document_says_nothing() -> None:
    bounds = ratio_bounds(np.array([[0.0, 2.0, 4.0]]), np.array([0.0, 1.0, 2.0]))
    assert (bounds.low[0], bounds.high[0]) == (2, 2)


@given(st.integers(0, 5000))
def test_a_count_lies_between_the_means_that_just_allow_it(count: int) -> None:
    low, high = (float(bound[0]) for bound in count_bounds(np.array([float(count)])))
    assert low <= count < high
    assert poisson.cdf(count, high) == pytest.approx(0.025)
    assert low == 0 if count == 0 else poisson.sf(count - 1, low) == pytest.approx(0.025)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2)
