"""Where the words of a text stand."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planish.text.words import WORD, is_alone

_LETTER, _JOINT, _ALONE = 1, 2, 3


class WordPlaces(NamedTuple):
    """In order, where each word of a text begins, and where each ends."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def inside(self, starts: Sequence[int], ends: Sequence[int]) -> int:
        """How many words have a character in spans, which are in order and without overlap."""
        first = np.searchsorted(self.ends, starts, side="right")
        behind = np.searchsorted(self.starts, ends, side="left")
        # A word that two spans touch is one.
        counted = np.concatenate(([0], behind))[:-1]
        return int(np.maximum(behind - np.maximum(first, counted), 0).sum())


def word_places(text: str) -> WordPlaces:
    """What `WORD` finds in a text, many times as fast."""
    kinds = _kinds()[np.frombuffer(f" {text} ".encode("utf-32-le", "surrogatepass"), np.uint32)]
    in_word, alone = kinds == _LETTER, kinds == _ALONE
    joints = np.flatnonzero(kinds == _JOINT)
    in_word[joints[in_word[joints - 1] & in_word[joints + 1]]] = True
    starts = in_word[1:] & ~in_word[:-1] | alone[1:]
    ends = in_word[:-1] & ~in_word[1:] | alone[:-1]
    return WordPlaces(np.flatnonzero(starts), np.flatnonzero(ends))


@cache
def _kinds() -> NDArray[np.uint8]:
    """What every character is in a word."""
    every = np.arange(0x110000, dtype=np.uint32)
    kinds = np.zeros(len(every), np.uint8)
    for word in WORD.finditer(every.tobytes().decode("utf-32-le", "surrogatepass")):
        kinds[word.start() : word.end()] = _ALONE if is_alone(word.group()) else _LETTER
    kinds[[ord(joint) for joint in "'’-"]] = _JOINT
    return kinds
