"""How sure a before/after difference is, when the same prompts stand on both sides."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """A figure with its 95 % bounds."""

    value: float
    low: float
    high: float


class PairedRates(NamedTuple):
    """Two pooled rates over the same groups, their difference, and the relative change (None where before is 0)."""

    before: float
    after: float
    difference: Interval
    change: Interval | None


def paired_rates(
    before: Array,
    after: Array,
    finish: Callable[[Array], Array] = lambda rate: rate,
    resamples: int = 4000,
    seed: int = 0,
) -> PairedRates:
    """Compare two rates by drawing whole groups with replacement, each group's before and after together.

    Args:
        before: (N, 2) float, a row a group: what was counted, and out of how much.
        after: (N, 2) float, the same groups in the same order.
        finish: turns the pooled rates into the reported figure, for example `numpy.exp` for a perplexity.
        resamples: how many times the groups are drawn.
        seed: of the draws.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile interval, section 13.3.
    """
    groups = len(before)
    generator = np.random.default_rng(seed)
    first, second = (_figure(side.sum(axis=0, keepdims=True), finish)[0] for side in (before, after))
    drawn = [_drawn(before, after, generator.integers(groups, size=groups)) for _ in range(resamples)]
    first_draws, second_draws = (_figure(np.array(sums), finish) for sums in zip(*drawn, strict=True))
    difference = Interval(float(second - first), *_bounds(second_draws - first_draws))
    if first == 0:
        return PairedRates(float(first), float(second), difference, None)
    known = first_draws != 0
    change = Interval(float(second / first - 1), *_bounds(second_draws[known] / first_draws[known] - 1))
    return PairedRates(float(first), float(second), difference, change)


def _drawn(before: Array, after: Array, draw: NDArray[np.int64]) -> tuple[Array, Array]:
    """The sums over some groups, each as often as it was drawn."""
    times = np.bincount(draw, minlength=len(before))
    return times @ before, times @ after


def _figure(sums: Array, finish: Callable[[Array], Array]) -> Array:
    counted, total = sums[:, 0], sums[:, 1]
    return finish(np.divide(counted, total, out=np.zeros_like(counted), where=total != 0))


def _bounds(draws: Array) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
