"""What is to be counted in all shards alike."""

from collections.abc import Collection, Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from planish.text.entry import Entry
from planish.text.frequent_strings import Strings, growing
from planish.text.word_ids import BREAK, Numbers


class Pool(NamedTuple):
    """Words, and phrases with all that stands within them, each with a number that is the same everywhere.

    Attributes:
        singles: the words that are counted by themselves.
        words: the words of phrases by their ids; none for `BREAK`.
        ids: (N,) the phrases, with breaks between them.
    """

    singles: list[str]
    words: list[str]
    ids: NDArray[np.int32]

    @classmethod
    def of(cls, entries: Collection[Entry]) -> Self:
        """A pool of entries, of whatever order and however often they are told."""
        phrases = sorted({entry for entry in entries if len(entry) > 1})
        words = ["", *sorted({word for phrase in phrases for word in phrase})]
        number = {word: at for at, word in enumerate(words)}
        ids = [at for phrase in phrases for at in (*map(number.__getitem__, phrase), BREAK)]
        return cls(sorted({entry[0] for entry in entries if len(entry) == 1}), words, np.array(ids, dtype=np.int32))

    def phrases(self) -> Iterator[Strings]:
        """The phrases and all that stands within them, those of one word first."""
        return growing(self.ids, len(self.words), lambda _, keys: _different(keys))

    def entry(self, at: int, length: int) -> Entry:
        """The words of a phrase by its place."""
        return tuple(self.words[number] for number in self.ids[at : at + length].tolist())


def _different(keys: Numbers) -> Numbers:
    ordered = np.sort(keys)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]
