"""What one pass over documents counts, in sums that add up to the same however the documents are parted."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum, auto
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from planish.find.refusals import Refusals
from planish.find.slop.behaviour import Slop
from planish.find.structures import STRUCTURES
from planish.records.rule import BanRule
from planish.statistics.diversity import moving_type_token_ratio, mtld
from planish.statistics.poisson_bootstrap import poisson_weights
from planish.text.corpus import Document, Shard
from planish.text.repetition import words_in_repetitions
from planish.text.rules import RuleMatcher
from planish.text.whole_sentences import WholeRegexes
from planish.text.words import WORD, fold

RESAMPLES = 400
# In words: the window of the moving ratio, and the shortest text whose diversity means anything.
WINDOW, LONG_ENOUGH = 100, 100
# So much is counted at once, in documents and in characters: what comes first.
BLOCK_DOCUMENTS, BLOCK_CHARACTERS = 512, 1 << 20
# Multiples of this add up exactly, in any order: no sum depends on which process counted what.
GRAIN = 2.0**-20

# What stands in one document, by its column.
Row = dict[int, float]


class Column(IntEnum):
    """What is summed over documents; behind `INDEX` come the rules, and behind those the structures."""

    WORDS = 0
    TEXTS = auto()
    CHARACTERS = auto()
    REPEATED = auto()
    REFUSED = auto()
    LONG_ENOUGH = auto()
    MOVING_RATIO = auto()
    LEXICAL_DIVERSITY = auto()
    INDEX = auto()


class Tallies(NamedTuple):
    """Sums over documents.

    `sums` are (C, 1 + B): the documents as they are, and B resamples of them. `parts` are (3, P), one for each column
    from `INDEX` on and each document that it is not 0 in: the column, the hits, and the words of the document.
    `fewest` are the words of the shortest document with any.
    """

    sums: NDArray[np.float64]
    parts: NDArray[np.int64]
    fewest: float
    left_out: Counter[str]

    @classmethod
    def joined(cls, tallies: Iterable[Self], columns: int) -> Self:
        """Of all the documents together."""
        sums = np.zeros((columns, 1 + RESAMPLES))
        parts = [np.zeros((3, 0), dtype=np.int64)]
        fewest, left_out = np.inf, Counter[str]()
        for one in tallies:
            sums += one.sums
            parts.append(one.parts)
            fewest = min(fewest, one.fewest)
            left_out.update(one.left_out)
        return cls(sums, np.concatenate(parts, axis=1), fewest, left_out)


class Gauge:
    """Counts in documents how often rules, an index and the structures stand in them, and how varied they are.

    Args:
        rules: each is counted by itself, wherever it stands.
        index: is counted as one list, without overlap.
        seed: of the resamples.
    """

    def __init__(self, rules: Sequence[BanRule], index: Sequence[BanRule], seed: int) -> None:
        self._rules = RuleMatcher(rule.pattern for rule in rules)
        names = [rule.pattern.name for rule in rules]
        self._place = {name: len(Column) + at for at, name in reversed(list(enumerate(names)))}
        self._structures = WholeRegexes({structure.regex: structure.name for structure in STRUCTURES})
        self.columns = len(Column) + len(rules) + len(STRUCTURES)
        self._structure_place = {
            structure.name: len(Column) + len(rules) + at for at, structure in enumerate(STRUCTURES)
        }
        self._index = Slop(index)
        self._refusals = Refusals()
        self._seed = seed.to_bytes(8, "little")

    def read(self, shards: Iterable[Shard]) -> Tallies:
        """Count in all documents of some shards."""
        left_out: Counter[str] = Counter()
        blocks = (self._tally(block) for shard in shards for block in _blocks(shard.documents(left_out)))
        tallies = Tallies.joined(blocks, self.columns)
        tallies.left_out.update(left_out)
        return tallies

    def _tally(self, documents: Sequence[Document]) -> Tallies:
        # Halves of characters are no words, and have no place in UTF-8.
        texts = [document.text.encode(errors="replace").decode() for document in documents]
        rows = [self._row(text) for text in texts]
        for row, refused, indexed in zip(rows, self._refusals.locate(texts), self._index.locate(texts), strict=True):
            row[Column.REFUSED] = bool(refused)
            if indexed:
                row[Column.INDEX] = len(indexed)
        weights = np.ones((len(rows), 1 + RESAMPLES))
        weights[:, 1:] = poisson_weights(self._keys(texts), RESAMPLES)
        lengths = [len(row) for row in rows]
        columns = np.fromiter((column for row in rows for column in row), dtype=np.int64)
        values = np.fromiter((value for row in rows for value in row.values()), dtype=np.float64)
        table = csr_matrix((values, columns, np.cumsum([0, *lengths])), (len(rows), self.columns))
        said = np.array([row[Column.WORDS] for row in rows], dtype=np.int64)
        counted = columns >= Column.INDEX
        parts = np.stack([columns[counted], values[counted].astype(np.int64), np.repeat(said, lengths)[counted]])
        return Tallies(table.T @ weights, parts, min(said[said > 0], default=np.inf), Counter())

    def _row(self, text: str) -> Row:
        said = WORD.findall(fold(text))  # what `words` gives, without looking at each by itself
        row: Row = {
            Column.WORDS: len(said),
            Column.TEXTS: 1,
            Column.CHARACTERS: len(text),
            Column.REPEATED: words_in_repetitions(said),
        }
        if len(said) >= LONG_ENOUGH:
            row[Column.LONG_ENOUGH] = 1
            row[Column.MOVING_RATIO] = _grained(moving_type_token_ratio(said, WINDOW))
            row[Column.LEXICAL_DIVERSITY] = _grained(mtld(said))
        places = Counter(self._place[span.rule] for span in self._rules.locate(text))
        places.update(self._structure_place[span.rule] for span in self._structures.locate(text))
        row.update(places)
        return row

    def _keys(self, texts: Sequence[str]) -> NDArray[np.uint64]:
        """What a document counts in the resamples depends on what it says and on the seed: copies count together."""
        hashes = (hashlib.blake2b(text.encode(), digest_size=8, key=self._seed).digest() for text in texts)
        return np.frombuffer(b"".join(hashes), dtype="<u8").astype(np.uint64)


def _blocks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    block: list[Document] = []
    characters = 0
    for document in documents:
        block.append(document)
        characters += len(document.text)
        if len(block) >= BLOCK_DOCUMENTS or characters >= BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block


def _grained(value: float) -> float:
    return round(value / GRAIN) * GRAIN
