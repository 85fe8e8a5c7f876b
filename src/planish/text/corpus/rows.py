"""Documents that stand in the rows of a table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from planish.text.corpus.columns import Columns, Row
from planish.text.corpus.document import Document

# The longest row that is read; what is longer is no document but a damaged file.
LONGEST_ROW_BYTES = 1 << 26
TOO_LONG = "row over 64 MiB"
NOT_AN_OBJECT = "not a JSON object"


class Rows(Protocol):
    """A part of a table: picklable, and the same rows in the same order every time."""

    def rows(self, left_out: Counter[str], columns: Sequence[str] = ()) -> Iterator[Row]:
        """Its rows; what cannot be read is counted. Where columns are named, no other need be read."""
        ...


class RowShard(NamedTuple):
    """The documents of a part of a table."""

    part: Rows
    columns: Columns

    def documents(self, left_out: Counter[str]) -> Iterator[Document]:
        """See `Shard`."""
        for row in self.part.rows(left_out, self.columns.names()):
            document = self.columns.document(row, left_out)
            if document is not None:
                yield document
