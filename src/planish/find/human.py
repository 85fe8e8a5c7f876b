"""How often people say something: the yardstick for what a model overuses."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

import polars as pl
from wordfreq import word_frequency

from planish.models.bundled import human_profile_path
from planish.text.words import word_runs

# Phrases are counted up to this length; a longer one is no more frequent than its rarest part of this length.
LONGEST_COUNTED = 3
# An entry that was counted less often, or in one text only, is taken as not seen: it may be one author's own.
LEAST_COUNT, LEAST_TEXTS = 2, 2
# Novels of 1839 to 1929 are another register: what they say counts half.
NOVEL_WEIGHT = 0.5
# What wordfreq has never seen is taken to be this rare: one in a hundred million words, which is where its lists end.
RAREST = 1e-8

Entry = tuple[str, ...]


class HumanRate(NamedTuple):
    """Occurrences a running word among people, and the number of running words that this was learned from."""

    rate: float
    words: float


class Register(NamedTuple):
    """One kind of human prose: its size, what it says, and the least count (by length of the entry) that it kept."""

    words: int
    counts: Mapping[str, int]
    cuts: Sequence[int] = (LEAST_COUNT,) * LONGEST_COUNTED
    weight: float = 1.0

    def rate(self, entry: Entry) -> HumanRate:
        """The register's own rate, by its weight; 0 where it has not seen the entry."""
        return HumanRate(self.weight * self.counts.get(" ".join(entry), 0) / self.words, self.words)


class HumanProfile:
    """Rates of words and phrases in human prose.

    A word is as frequent as the source says that finds it most frequent, wordfreq or a register: what is common
    anywhere is common. A phrase of two or three words is as frequent as in the register that says it most. What no
    register has seen is given the highest rate at which it could have been missed, and never a higher rate than a part
    of it. The wordfreq lists are of English as a whole, in which words of fiction are rare; the registers are fiction.
    """

    def __init__(self, registers: Sequence[Register]) -> None:
        self.registers = list(registers)

    @classmethod
    @cache
    def bundled(cls) -> Self:
        """Of the human fiction that `tools/build_profile.py` counted: some modern, more of it from old novels."""
        return cls.read(human_profile_path())

    @classmethod
    def read(cls, path: Path) -> Self:
        """A profile that `tools/build_profile.py` wrote."""
        registers = []
        table = pl.read_parquet(path)
        for name, sizes in json.loads(pl.read_parquet_metadata(path)["registers"]).items():
            seen = table.filter(pl.col("register") == name, pl.col("texts") >= LEAST_TEXTS)
            counts = dict(zip(seen["entry"].to_list(), seen["count"].to_list(), strict=True))
            weight = NOVEL_WEIGHT if name == "novel" else 1.0
            registers.append(Register(sizes["totals"][0], counts, sizes["cuts"], weight))
        return cls(registers)

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Self:
        """Any human texts as the yardstick, beside wordfreq."""
        counts, texts_with = count_entries(texts)
        words = sum(count for entry, count in counts.items() if " " not in entry)
        seen = {
            entry: count for entry, count in counts.items() if count >= LEAST_COUNT and texts_with[entry] >= LEAST_TEXTS
        }
        return cls([Register(words, seen)])

    def rate(self, entry: Entry) -> float:
        """Occurrences a running word among people, above 0. Words as `text.words` gives them, without "'s"."""
        return self.estimate(entry).rate

    def estimate(self, entry: Entry) -> HumanRate:
        """The rate with the number of words behind it."""
        if len(entry) > LONGEST_COUNTED:
            return min(
                self.estimate(entry[start : start + LONGEST_COUNTED])
                for start in range(len(entry) - LONGEST_COUNTED + 1)
            )
        counted = max(register.rate(entry) for register in self.registers)
        if len(entry) == 1:
            return max(counted, HumanRate(max(word_frequency(entry[0], "en"), RAREST), 1 / RAREST))
        return max(counted, min(self._missed(len(entry)), self.estimate(entry[:-1]), self.estimate(entry[1:])))

    def _missed(self, length: int) -> HumanRate:
        """The rate of something that stays just below the cut everywhere."""
        count = sum(register.weight * register.cuts[length - 1] for register in self.registers)
        words = sum(register.weight * register.words for register in self.registers)
        return HumanRate(count / words, words)


def count_entries(texts: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Occurrences, and texts with at least one, of each word and of each phrase of two or three.

    A phrase is written with one space between its words, as it stands in the text; punctuation ends it. "lily's" as a
    word is "lily".
    """
    counts: Counter[str] = Counter()
    texts_with: Counter[str] = Counter()
    for text in texts:
        own: Counter[str] = Counter()
        for run in word_runs(text):
            own.update(word.removesuffix("'s") for word in run)
            for length in range(2, LONGEST_COUNTED + 1):
                own.update(map(" ".join, zip(*(run[start:] for start in range(length)), strict=False)))
        counts.update(own)
        texts_with.update(own.keys())
    return counts, texts_with
