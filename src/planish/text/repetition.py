"""How much of a text is said twice."""

from collections import Counter
from collections.abc import Sequence

# A stretch of so many words that comes twice in a text is a repetition.
REPEATED_WORDS = 4


def words_in_repetitions(said: Sequence[str]) -> int:
    """How many of a text's words stand inside four that come again in it."""
    stretches = list(zip(*(said[start:] for start in range(REPEATED_WORDS)), strict=False))
    if len(set(stretches)) == len(stretches):
        return 0
    counts = Counter(stretches)
    inside = end = 0
    for start, stretch in enumerate(stretches):
        if counts[stretch] > 1:
            inside += start + REPEATED_WORDS - max(start, end)
            end = start + REPEATED_WORDS
    return inside
