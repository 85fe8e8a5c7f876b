"""How sure a sum over documents is, when the documents are counted in many places at once and only the sums meet.

In every resample each document counts as often as a draw of its own says, Poisson with mean 1. The draws depend on the
document alone, so that the sums over the parts of a corpus add up to the sums over the whole, however it was parted.

Source: Hanley and MacGibbon, Creating non-parametric bootstrap samples using Poisson frequencies (2006); Chamandy et
al., Estimating uncertainty for massive data streams (2012).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

Array = NDArray[np.float64]

# 95 %, a half on either side.
TAIL = 0.025
# The chance of at most so many; the next one is 1 in double precision.
CUMULATIVE = np.cumsum([math.exp(-1) / math.factorial(count) for count in range(18)])
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


class Bounds(NamedTuple):
    """The lower and the upper bounds of 95 % intervals, one of each a figure."""

    low: Array
    high: Array


def poisson_weights(keys: NDArray[np.uint64], resamples: int) -> Array:
    """How often each document counts in each resample: (D, B).

    Args:
        keys: (D,) a hash of each document; the same key always draws the same.
        resamples: B.

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014), figure 19: a document's draws
    are the stream that starts at its key.
    """
    bits = keys[:, None] + _GOLDEN * np.arange(1, resamples + 1, dtype=np.uint64)
    for shift, factor in _MIXERS:
        bits ^= bits >> shift
        bits *= factor
    bits ^= bits >> np.uint64(31)
    uniform = (bits >> np.uint64(11)) * 2.0**-53
    return np.searchsorted(CUMULATIVE, uniform, side="right").astype(np.float64)


def ratio_bounds(numerators: Array, denominators: Array) -> Bounds:
    """The 95 % percentile intervals of some ratios of resampled sums.

    Args:
        numerators: (R, B) sums over documents.
        denominators: (B,) of each resample; one where it is 0 says nothing. Not all are.
    """
    known = denominators > 0
    low, high = np.percentile(numerators[:, known] / denominators[known], [100 * TAIL, 100 * (1 - TAIL)], axis=1)
    return Bounds(low, high)


def count_bounds(counts: Array) -> Bounds:
    """Between which means 95 % of such counts come, where every occurrence comes by itself.

    An interval over documents that is narrower than this is too narrow: there are too few documents, or too few hits.

    Source: Garwood, Fiducial limits for the Poisson distribution (1936).
    """
    low = np.where(counts > 0, gammaincinv(np.maximum(counts, 1), TAIL), 0.0)
    return Bounds(low, gammaincinv(counts + 1, 1 - TAIL))
