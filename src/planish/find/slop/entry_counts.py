"""How often the entries of a pool stand in some material, in sums that add up over all material."""

from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from planish.find.slop.material import Material
from planish.find.slop.pool import Pool
from planish.text.frequent_strings import growing, in_order
from planish.text.word_ids import BREAK, Numbers

# A phrase neither begins nor ends with these: "a hint of" is "hint of", and "a smile" is no phrase.
LOOSE_ENDS = frozenset(
    "a an the and or but that as my your his her its our their i you he she it we they this these those".split()  # noqa: SIM905
)
# Occurrences and words in one number that is greater where more occur, and, of as many, where more words are.
COUNT = 2**32


class Summed(NamedTuple):
    """Counts of keys, which are ascending."""

    keys: Numbers
    counts: Numbers

    @classmethod
    def of(cls, keys: Numbers, counts: Numbers) -> Self:
        """The sums of counts of keys that come more than once."""
        order = in_order(keys)
        keys = keys[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        return cls(keys[starts], np.add.reduceat(counts[order], starts) if len(starts) else counts)


def places_in(ascending: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> Numbers:
    """Where each number stands; -1 where it does not."""
    if not len(ascending):
        return np.full(len(wanted), -1)
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[places] == wanted, places, -1)


class Sums(NamedTuple):
    """Of the entries of one length, in the order of the pool.

    Attributes:
        occurrences: (entries,)
        texts: (entries,) with at least one.
        prompts: (entries,) with at least one, of those that are in this material only.
        most: (entries,) occurrences times `COUNT` plus words, of the prompt that has most and is in this material only.
        shared: occurrences for prompts that other material has too; a key is the entry times their number plus theirs.
    """

    occurrences: Numbers
    texts: Numbers
    prompts: Numbers
    most: Numbers
    shared: Summed

    def plus(self, other: "Sums") -> "Sums":
        """Of both materials."""
        keys = np.concatenate([self.shared.keys, other.shared.keys])
        return Sums(
            self.occurrences + other.occurrences,
            self.texts + other.texts,
            self.prompts + other.prompts,
            np.maximum(self.most, other.most),
            Summed.of(keys, np.concatenate([self.shared.counts, other.shared.counts])),
        )


class Capitals(NamedTuple):
    """Of each word of the pool, how often it stands within a run of words, and how often so with a capital."""

    within: Numbers
    capital: Numbers

    def plus(self, other: "Capitals") -> "Capitals":
        """Of both materials."""
        return Capitals(self.within + other.within, self.capital + other.capital)


class EntryCounts(NamedTuple):
    """What was counted of a pool: its words, then its phrases of two words, of three, and so on."""

    singles: Sums
    capitals: Capitals
    phrases: list[Sums]

    @classmethod
    def of(cls, material: Material, pool: Pool, shared: NDArray[np.uint64]) -> Self:
        """Count the entries of a pool.

        Args:
            material: where they are counted.
            pool: what is counted.
            shared: the hashes, ascending, of all prompts that more material than this may have.
        """
        tally = _Tally(material, shared)
        singles, capitals = _count_singles(material, pool, tally)
        return cls(singles, capitals, list(_count_phrases(material, pool, tally)))

    def plus(self, other: "EntryCounts") -> "EntryCounts":
        """Of both materials."""
        phrases = [ours.plus(theirs) for ours, theirs in zip(self.phrases, other.phrases, strict=True)]
        return EntryCounts(self.singles.plus(other.singles), self.capitals.plus(other.capitals), phrases)


class _Tally:
    """Adds up occurrences by entry, by text and by prompt."""

    def __init__(self, material: Material, shared: NDArray[np.uint64]) -> None:
        prompts = material.prompts
        self._shared = len(shared)
        self._number = np.full(len(prompts.words), -1)
        self._number[: len(prompts.hashes)] = places_in(shared, prompts.hashes)
        self._prompts = prompts
        self._texts = material.numbered.texts

    def sums(self, kind: Numbers, at: Numbers, kinds: int) -> Sums:
        """Add up.

        Args:
            kind: (N,) which entry it is.
            at: (N,) where it stands, ascending.
            kinds: how many entries there are.
        """
        texts = len(self._prompts.of_text)
        by_text = Summed.of(kind * texts + self._texts[at], np.ones(len(at), np.int64))
        entry = by_text.keys // max(texts, 1)
        prompts = len(self._prompts.words)
        by_prompt = Summed.of(entry * prompts + self._prompts.of_text[by_text.keys % max(texts, 1)], by_text.counts)
        entry_of_prompt, prompt = by_prompt.keys // max(prompts, 1), by_prompt.keys % max(prompts, 1)
        number = self._number[prompt]
        own = number < 0
        most = np.zeros(kinds, np.int64)
        np.maximum.at(most, entry_of_prompt[own], by_prompt.counts[own] * COUNT + self._prompts.words[prompt[own]])
        shared = Summed.of(entry_of_prompt[~own] * self._shared + number[~own], by_prompt.counts[~own])
        occurrences, texts_with, prompts_with = (
            np.bincount(each, minlength=kinds) for each in (kind, entry, entry_of_prompt[own])
        )
        return Sums(occurrences, texts_with, prompts_with, most, shared)


def _count_singles(material: Material, pool: Pool, tally: _Tally) -> tuple[Sums, Capitals]:
    numbered, size = material.numbered, len(pool.singles)
    number = {word: at for at, word in enumerate(pool.singles)}
    single_of_word = np.array([number.get(word, -1) for word in numbered.words])
    single = single_of_word[material.bare][numbered.ids]
    at = np.flatnonzero(material.telling & (single >= 0))
    behind = np.zeros(len(single), dtype=bool)
    behind[1:] = numbered.ids[:-1] != BREAK
    within = np.flatnonzero(behind & (single >= 0))
    capital = within[numbered.capital[within]]
    counts = [np.bincount(single[places], minlength=size) for places in (within, capital)]
    return tally.sums(single[at], at, size), Capitals(*counts)


def _count_phrases(material: Material, pool: Pool, tally: _Tally) -> Iterator[Sums]:
    number = {word: at for at, word in enumerate(pool.words)}
    pool_word = np.array([number.get(word, BREAK) for word in material.numbered.words], dtype=np.int32)
    ids = pool_word[material.numbered.ids]
    loose = np.array([word in LOOSE_ENDS for word in pool.words])
    telling_before = np.concatenate([[0], np.cumsum(material.telling, dtype=np.int64)])
    lengths = list(pool.phrases())[1:]
    wanted = iter(lengths)
    grown = growing(ids, len(pool.words), lambda _at, _keys: next(wanted).keys)
    for level, here in zip_longest(lengths, islice(grown, 1, None)):
        at, kind = (here.at, here.kind) if here else (np.empty(0, np.int64),) * 2
        ends = at + level.length
        counts = telling_before[ends] > telling_before[at]
        counts &= ~(loose[ids[at]] | loose[ids[ends - 1]])
        yield tally.sums(kind[counts], at[counts], len(level.keys))
