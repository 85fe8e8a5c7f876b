"""Is something said more often, or less, than chance explains?"""

import math


def log_likelihood(count: float, words: float, other_count: float, other_words: float) -> float:
    """G², of a count in some words and a count in others: 0 where the rates are the same; chance exceeds 3.84 in 5 %.

    Args:
        count: occurrences.
        words: running words in which they were counted, more than 0 and no fewer than those.
        other_count: occurrences elsewhere; the two are not both 0.
        other_words: running words there, more than 0.

    Source: Dunning, Accurate Methods for the Statistics of Surprise and Coincidence (1993), section 4.3.
    """
    total = words + other_words
    share = (count + other_count) / total
    observed_and_expected = (
        (count, words * share),
        (other_count, other_words * share),
        (words - count, words * (1 - share)),
        (other_words - other_count, other_words * (1 - share)),
    )
    return 2 * sum(observed * math.log(observed / expected) for observed, expected in observed_and_expected if observed)
