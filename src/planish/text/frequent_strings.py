"""Strings of words, of any length, that stand in text after text: found and counted length by length."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planish.text.word_ids import BREAK, Numbers

# A string is told by its words' numbers.
Ids = tuple[int, ...]
# Says which keys are kept, ascending, when told of all strings of a length where they begin and their keys.
Keep = Callable[[Numbers, Numbers], Numbers]
# Keys fall into twice as many classes, or so many: most are ruled out by their class, before anything is sorted.
_MOST_CLASS_BITS = 20
_DIGIT_BITS = 16


class Strings(NamedTuple):
    """All occurrences of the strings of one length that were kept.

    Attributes:
        length: in words.
        at: (N,) where each begins, in order.
        kind: (N,) which string it is.
        keys: (kinds,) what they are, ascending. Of one word: its id, which is its kind. Of more: the kind of all words
            but the last, times how many kinds there are of that length, plus the kind of all words but the first.
    """

    length: int
    at: Numbers
    kind: Numbers
    keys: Numbers

    def first(self) -> Numbers:
        """Where each kind begins for the first time."""
        first = np.empty(len(self.keys), np.int64)
        first[self.kind[::-1]] = self.at[::-1]
        return first


def growing(ids: NDArray[np.int32], words: int, keep: Keep) -> Iterator[Strings]:
    """The strings of one word, of two, and so on up to the first length of which nothing is kept, which comes too.

    A string has no break in it, and all its parts were kept: none is more frequent than its parts.

    Args:
        ids: (N,) words, and breaks.
        words: how many ids there are; words by themselves are all kept.
        keep: is asked from two words on.
    """
    at = np.flatnonzero(ids != BREAK)
    strings = Strings(1, at, ids[at].astype(np.int64), np.arange(words))
    while len(strings.at):
        yield strings
        overlap = np.flatnonzero(np.diff(strings.at) == 1)
        at = strings.at[overlap]
        keys = strings.kind[overlap] * len(strings.keys) + strings.kind[overlap + 1]
        strings = _kept(strings.length + 1, at, keys, keep(at, keys))
    yield strings


def _kept(length: int, at: Numbers, keys: Numbers, kept: Numbers) -> Strings:
    bits = _class_bits(len(keys))
    last = np.full(2**bits, -1, np.int64)
    last[_classes(kept, bits)] = np.arange(len(kept))
    kind = last[_classes(keys, bits)]
    likely = np.flatnonzero(kind >= 0)
    at, keys, kind = at[likely], keys[likely], kind[likely]
    # Only of the last of a class was that its number.
    other = np.flatnonzero(kept[kind] != keys)
    kind[other] = np.minimum(np.searchsorted(kept, keys[other]), len(kept) - 1)
    same = np.flatnonzero(kept[kind] == keys)
    return Strings(length, at[same], kind[same], kept)


def _class_bits(keys: int) -> int:
    return min(_MOST_CLASS_BITS, keys.bit_length() + 1)


def _classes(keys: Numbers, bits: int) -> NDArray[np.intp]:
    """The class of each key, from the upper bits of a product, which every bit of the key changes."""
    return ((keys.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits)).view(np.int64)


def in_order(numbers: Numbers) -> NDArray[np.intp]:
    """The places of numbers from 0 in ascending order, of equal ones in theirs: what a stable `argsort` says, faster.

    NumPy sorts numbers of 16 bits by counting, so they are sorted by one such digit after the other.
    """
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    for bits in range(_DIGIT_BITS, int(numbers.max(initial=0)).bit_length(), _DIGIT_BITS):
        order = order[np.argsort((numbers[order] >> bits).astype(np.uint16), kind="stable")]
    return order


def in_texts(keys: Numbers, texts: NDArray[np.int32], least_texts: int) -> Numbers:
    """The keys, ascending, that stand in at least so many texts.

    Args:
        keys: (N,) from 0.
        texts: (N,) the text of each, ascending.
        least_texts: from 1.
    """
    classes = _classes(keys, _class_bits(len(keys)))
    likely = np.flatnonzero(np.bincount(classes)[classes] >= least_texts)
    keys, texts = keys[likely], texts[likely]
    order = in_order(keys)
    keys, texts = keys[order], texts[order]
    new = np.ones(len(keys), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]) | (texts[1:] != texts[:-1])
    keys = keys[new]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts[np.diff(starts, append=len(keys)) >= least_texts]]


def frequent(ids: NDArray[np.int32], words: int, texts: NDArray[np.int32], least_texts: int) -> list[Ids]:
    """Strings of two and more words in at least so many texts, but for those that stand within another of them.

    Args:
        ids: (N,) words, and breaks; a word that is in fewer texts may stand as a break.
        words: how many ids there are.
        texts: (N,) the text of each, ascending.
        least_texts: from 1.
    """

    def keep(at: Numbers, keys: Numbers) -> Numbers:
        return in_texts(keys, texts[at], least_texts)

    found: list[Ids] = []
    for shorter, longer in pairwise(growing(ids, words, keep)):
        if shorter.length > 1:
            alone = np.ones(len(shorter.keys), dtype=bool)
            for part in divmod(longer.keys, len(shorter.keys)):
                alone[part] = False
            found += [tuple(ids[at : at + shorter.length].tolist()) for at in shorter.first()[alone].tolist()]
    return found
