"""How varied are the words of a text, whatever its length?"""

import math
from collections.abc import Iterable, Sequence

import numpy as np


def moving_type_token_ratio(words: Sequence[str], window: int = 100) -> float:
    """Of so many words in a row, what share are different: the mean over all places (MATTR).

    NaN with fewer words than that, as what a shorter window says cannot be compared.

    Args:
        words: of one text, in order, folded.
        window: words looked at at once.

    Source: Covington and McFall, Cutting the Gordian knot: the moving-average type-token ratio (2010).
    """
    windows = len(words) - window + 1
    if windows < 1:
        return math.nan
    latest: dict[str, int] = {}
    previous = []
    for at, word in enumerate(words):
        previous.append(latest.get(word, -1))
        latest[word] = at
    # A word counts as a type in the windows that have it and begin behind its previous occurrence.
    places = np.arange(len(words))
    first = np.maximum(np.array(previous) + 1, places - window + 1)
    last = np.minimum(places, windows - 1)
    return int(np.maximum(last - first + 1, 0).sum()) / (window * windows)


def mtld(words: Sequence[str], threshold: float = 0.72) -> float:
    """How many words in a row, in the mean, keep the share of different ones above the threshold.

    Mean of both directions of reading. A text that never says a word twice counts as its own length, which is the
    least that is known of it; NaN for no words.

    Args:
        words: of one text, in order, folded.
        threshold: the share at which a row ends, below 1.

    Source: McCarthy and Jarvis, MTLD, vocd-D, and HD-D (2010).
    """
    if not words:
        return math.nan
    return (len(words) / _rows(words, threshold) + len(words) / _rows(reversed(words), threshold)) / 2


def _rows(words: Iterable[str], threshold: float) -> float:
    """How many rows end, and which part of one the rest is."""
    rows, types, many = 0.0, set[str](), 0
    for word in words:
        types.add(word)
        many += 1
        if len(types) / many <= threshold:
            rows, types, many = rows + 1, set(), 0
    if many:
        rows += (1 - len(types) / many) / (1 - threshold)
    return rows or 1.0
