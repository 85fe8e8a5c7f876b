"""Is something said more often than people say it, and by how much at least?"""

import math


def rate_ratio_low(count: int, words: int, human_rate: float) -> float:
    """The least ratio of a rate to the human rate that the count supports, at 95 % (one-sided).

    The log of a Poisson rate has a standard error of about 1 / sqrt(count); the human rate is taken as known.

    Args:
        count: occurrences; 0 supports no ratio at all.
        words: running words in which they were counted.
        human_rate: occurrences a running word among people, above 0.
    """
    if count == 0:
        return 0.0
    return count / words / human_rate * math.exp(-1.645 / math.sqrt(count))
