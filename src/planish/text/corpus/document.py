"""A document of a corpus, and what a part of a corpus owes."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Document(NamedTuple):
    """A text, and what it was written for where its source says so."""

    text: str
    prompt: str = ""


class Shard(Protocol):
    """A part of a corpus that one process reads: picklable, and the same documents in the same order every time.

    The process is to be spawned: what reads Parquet may hang in one that was forked.
    """

    def documents(self, left_out: Counter[str]) -> Iterator[Document]:
        """Its documents; what cannot be read, or not as it stands, is counted in `left_out` by reason on the way.

        Raises:
            DataError: the source has gone or breaks off.
        """
        ...


class TextShard(NamedTuple):
    """Documents that are held in memory already."""

    held: tuple[Document, ...]

    def documents(self, left_out: Counter[str]) -> Iterator[Document]:
        """All of them; nothing is left out."""
        return iter(self.held)
