import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.statistics.paired_bootstrap import Array, paired_rates

PAIRS = st.lists(
    st.tuples(*[st.integers(0, 9), st.integers(1, 9)] * 2).map(lambda four: (four[:2], four[2:])),
    min_size=1,
    max_size=8,
)


def sides(pairs: list[tuple[tuple[int, int], tuple[int, int]]]) -> tuple[Array, Array]:
    both = np.array(pairs, dtype=np.float64)
    return both[:, 0], both[:, 1]


def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    draws = np.random.default_rng(0)
    covered = np.zeros(2)
    trials, groups, before_rate, after_rate = 400, 40, 0.3, 0.2
    for _ in range(trials):
        # Groups differ in size and in habit, and both sides share the habit: the truth is that of the population.
        totals = draws.integers(20, 80, size=groups).astype(float)
        habit = draws.gamma(4, 1 / 4, size=groups)
        before, after = (
            np.stack([draws.poisson(rate * habit * totals).astype(float), totals], axis=1)
            for rate in (before_rate, after_rate)
        )
        rates = paired_rates(before, after, resamples=400)
        assert rates.change is not None
        truths = after_rate - before_rate, after_rate / before_rate - 1
        for index, (truth, interval) in enumerate(zip(truths, (rates.difference, rates.change), strict=True)):
            covered[index] += interval.low <= truth <= interval.high
    assert (covered > 0.90 * trials).all()
    assert (covered < 0.99 * trials).all()


@given(PAIRS)
def test_equal_sides_have_no_difference(pairs: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    before, _ = sides(pairs)
    rates = paired_rates(before, before, resamples=50)
    assert rates.difference == (0, 0, 0)
    assert rates.change is None or rates.change == (0, 0, 0)


@given(PAIRS)
def test_figures_are_pooled_and_change_is_null_where_before_is_0(
    pairs: list[tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    before, after = sides(pairs)
    first, second = (side[:, 0].sum() / side[:, 1].sum() for side in (before, after))
    rates = paired_rates(before, after, resamples=50)
    assert (rates.before, rates.after) == pytest.approx((first, second))
    assert rates.difference.value == pytest.approx(second - first)
    if first == 0:
        assert rates.change is None
    else:
        assert rates.change is not None
        assert rates.change.value == pytest.approx(second / first - 1)


@settings(max_examples=30)
@given(PAIRS, st.integers(2, 100))
def test_saying_everything_twice_in_a_group_makes_nothing_surer(
    pairs: list[tuple[tuple[int, int], tuple[int, int]]], times: int
) -> None:
    before, after = sides(pairs)
    once, often = (paired_rates(factor * before, factor * after, resamples=50) for factor in (1, times))
    assert often.difference == pytest.approx(once.difference)


def test_more_groups_make_it_surer() -> None:
    draws = np.random.default_rng(0)
    before, after = (np.stack([draws.poisson(5, 400).astype(float), np.full(400, 10.0)], axis=1) for _ in range(2))
    few, many = (paired_rates(before[:groups], after[:groups], resamples=500).difference for groups in (20, 400))
    assert many.high - many.low < (few.high - few.low) / 2


def test_a_finish_turns_rates_and_bounds_into_the_figure() -> None:
    before, after = np.array([[2.0, 2.0], [4.0, 2.0]]), np.array([[2.0, 2.0], [6.0, 3.0]])
    rates = paired_rates(before, after, finish=np.exp, resamples=200)
    assert rates.before == pytest.approx(np.exp(1.5))
    assert rates.difference.value == pytest.approx(np.exp(1.6) - np.exp(1.5))
    # Only these four pairs of groups can be drawn, so the bounds are among their differences.
    possible = [0.0, np.exp(1.6) - np.exp(1.5)]
    assert min(abs(rates.difference.low - value) for value in possible) < 1e-9
    assert min(abs(rates.difference.high - value) for value in possible) < 1e-9
