"""How often people say something: the yardstick for what a model overuses."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

import polars as pl

from planish.errors import DataError
from planish.find.human_counts import (
    LANGUAGE,
    LEAST_COUNT,
    LONGEST_COUNTED,
    REGISTERS,
    Counted,
    count_corpus,
    least_texts,
)
from planish.find.languages import listed_rate, require_language
from planish.models.bundled import human_profile_path
from planish.text.corpus import Document, TextShard, open_corpus

# Novels of 1839 to 1929 are another register: what they say counts half.
BUNDLED_WEIGHTS = {"novel": 0.5}
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

    @classmethod
    def of(cls, counted: Counted) -> Self:
        """What was counted in a corpus."""
        return cls(counted.totals[0], _counts(counted.table), counted.cuts)

    def rate(self, entry: Entry) -> HumanRate:
        """The register's own rate, by its weight; 0 where it has not seen the entry."""
        return HumanRate(self.weight * self.counts.get(" ".join(entry), 0) / self.words, self.words)


class HumanProfile:
    """Rates of words and phrases in human prose.

    A word is as frequent as the source says that finds it most frequent, wordfreq or a register: what is common
    anywhere is common. A phrase of two or three words is as frequent as in the register that says it most. What no
    register has seen is given the highest rate at which it could have been missed, and never a higher rate than a part
    of it. The wordfreq lists are of a language as a whole, in which words of fiction are rare; the registers that ship
    are English fiction.
    """

    def __init__(self, registers: Sequence[Register], language: str = "en") -> None:
        self.registers = list(registers)
        self.language = require_language(language)

    @classmethod
    @cache
    def bundled(cls) -> Self:
        """Of the human fiction that `tools/build_profile.py` counted: some modern, more of it from old novels."""
        return cls.read(human_profile_path(), BUNDLED_WEIGHTS)

    @classmethod
    def of_language(cls, language: str) -> Self:
        """What there is without any text: for English the bundled profile, for others wordfreq's words and no phrase.

        A phrase is then taken to be as frequent as its rarest word, so only what is surely overused is found.
        """
        return cls.bundled() if language == "en" else cls([], language)

    @classmethod
    def open(cls, path: str | Path, language: str = "en") -> Self:
        """A profile that was saved, which knows its language; or any human texts as the yardstick, in this language.

        Raises:
            DataError: the source of texts is not there or cannot be read.
        """
        if _is_profile(Path(path)):
            return cls.read(Path(path))
        with TemporaryDirectory() as folder:
            return cls([Register.of(count_corpus(open_corpus(path).shards, Path(folder)))], language)

    @classmethod
    def read(cls, path: Path, weights: Mapping[str, float] | None = None) -> Self:
        """A profile that `planish profile` or `tools/build_profile.py` wrote; registers count by their weights, or 1.

        Raises:
            DataError: the file is not there, or is no profile.
        """
        if not _is_profile(path):
            raise DataError(f"{path} is no profile", "make one: planish profile TEXTS")
        metadata = pl.read_parquet_metadata(path)
        table = pl.read_parquet(path)
        registers = []
        for name, sizes in json.loads(metadata[REGISTERS]).items():
            seen = table.filter(pl.col("register") == name, pl.col("texts") >= least_texts(sizes["texts"]))
            weight = (weights or {}).get(name, 1.0)
            registers.append(Register(sizes["totals"][0], _counts(seen), sizes["cuts"], weight))
        return cls(registers, metadata.get(LANGUAGE, "en"))

    @classmethod
    def from_texts(cls, texts: Iterable[str], language: str = "en") -> Self:
        """Any human texts as the yardstick, beside wordfreq.

        Raises:
            DataError: there is no word in them.
        """
        with TemporaryDirectory() as folder:
            held = TextShard(tuple(map(Document, texts)))
            return cls([Register.of(count_corpus([held], Path(folder)))], language)

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
        said = [register.rate(entry) for register in self.registers]
        said.append(HumanRate(listed_rate(entry, self.language), 1 / RAREST))
        if len(entry) == 1:
            return max(*said, HumanRate(RAREST, 1 / RAREST))
        return max(*said, min(self._missed(len(entry)), self.estimate(entry[:-1]), self.estimate(entry[1:])))

    def _missed(self, length: int) -> HumanRate:
        """The rate of something that stays just below the cut everywhere; where nothing was counted, anything may."""
        if not self.registers:
            return HumanRate(1.0, 1 / RAREST)
        count = sum(register.weight * register.cuts[length - 1] for register in self.registers)
        words = sum(register.weight * register.words for register in self.registers)
        return HumanRate(count / words, words)


def _counts(table: pl.DataFrame) -> Mapping[str, int]:
    return dict(zip(table["entry"].to_list(), table["count"].to_list(), strict=True))


def _is_profile(path: Path) -> bool:
    """Whether a file is a saved profile, whatever it is called."""
    try:
        return REGISTERS in pl.read_parquet_metadata(path)
    except (pl.exceptions.PolarsError, OSError):
        return False
