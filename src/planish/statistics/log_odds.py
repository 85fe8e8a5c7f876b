"""Is something said more often than people say it, by how much, and how surely?"""

import math
from typing import NamedTuple

# The prior weighs as much as one text of this many words.
PRIOR_WORDS = 1000.0


class LogOdds(NamedTuple):
    """A log odds ratio with its standard error, its distance `z` from the least one that counts, and its `p` value."""

    value: float
    standard_error: float
    z: float
    p: float


def log_odds(count: int, words: int, human_rate: float, human_words: float, least_ratio: float = 1.0) -> LogOdds:
    """Compare a count with a human rate, both shrunk towards the human rate: the rarer, the more.

    `p` is one-sided; its null hypothesis is that the odds ratio is at most `least_ratio`.

    Args:
        count: occurrences.
        words: running words in which they were counted.
        human_rate: occurrences a running word among people, in (0, 1).
        human_words: running words from which that rate is known.
        least_ratio: the odds ratio that is still tolerated, above 0.

    Source: Monroe, Colaresi and Quinn, Fightin' Words (2008), sections 3.3.2 to 3.4.1, with an informative prior.
    """
    prior = PRIOR_WORDS * human_rate
    ours, theirs = count + prior, human_rate * human_words + prior
    value = math.log(ours / (words + PRIOR_WORDS - ours)) - math.log(theirs / (human_words + PRIOR_WORDS - theirs))
    standard_error = math.sqrt(1 / ours + 1 / theirs)
    z = (value - math.log(least_ratio)) / standard_error
    return LogOdds(value, standard_error, z, math.erfc(z / math.sqrt(2)) / 2)
