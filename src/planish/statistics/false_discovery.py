"""How many of the things that stand out do so by chance?"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def false_discovery_rates(p_values: ArrayLike) -> NDArray[np.float64]:
    """For each test the least false-discovery rate at which it is still a discovery: its q value, in order.

    Args:
        p_values: (N,) in [0, 1]. The tests are independent, or positively dependent.

    Source: Benjamini and Hochberg, Controlling the false discovery rate (1995), section 3.1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[::-1]
    rates = np.empty_like(p)
    rates[order] = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1))
    return np.minimum(rates, 1.0)
