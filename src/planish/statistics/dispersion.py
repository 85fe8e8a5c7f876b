"""How evenly things are spread over the parts of a corpus."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def deviations_of_proportions(
    items: Counts, hits: Counts, sizes: Counts, total: int, least: int, kinds: int
) -> NDArray[np.float64]:
    """Of each item, 0 where it is spread as evenly as the parts' sizes allow, up to 1 where it all stands in one part.

    Only the parts that have an item are named, each with a place in the first three arrays. What stands nowhere has 0,
    and so has everything where there is only one part.

    Args:
        items: (P,) which item, from 0.
        hits: (P,) how often it stands in that part, at least once.
        sizes: (P,) the size of that part.
        total: size of all parts.
        least: size of the smallest part.
        kinds: how many items there are.

    Source: Gries, Dispersions and adjusted frequencies in corpora (2008), DP; Lijffijt and Gries, Correction to it
    (2012), for the normalisation.
    """
    if total == least:
        return np.zeros(kinds)
    totals = np.bincount(items, hits, kinds)
    expected = sizes / total
    apart = np.abs(hits / totals[items] - expected)
    # Every part that has none of it deviates by its whole size.
    deviation = (1 + np.bincount(items, apart - expected, kinds)) / 2
    return np.where(totals > 0, deviation / (1 - least / total), 0.0)
