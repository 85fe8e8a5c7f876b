"""Rows of a CSV file, whose first row names the columns."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import NamedTuple

from planish.errors import DataError
from planish.text.corpus.columns import Row
from planish.text.corpus.opened import opened
from planish.text.corpus.rows import LONGEST_ROW_BYTES


class CsvRows(NamedTuple):
    """All rows, one after the other: where a row begins is known only from what stands before it."""

    path: str

    def rows(self, left_out: Counter[str], columns: Sequence[str] = ()) -> Iterator[Row]:
        """See `Rows`.

        Raises:
            DataError: a field is far too long, as where a quotation mark is not closed.
        """
        # The limit is of the process; by default, a text of 20,000 words is over it.
        csv.field_size_limit(LONGEST_ROW_BYTES)
        with (
            opened(self.path) as file,
            TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text,
        ):
            table = csv.reader(text)
            try:
                names = next(table, [])
                yield from (dict(zip(names, row, strict=False)) for row in table if row)
            except csv.Error as error:
                message = f"{self.path}, line {table.line_num} is not CSV: {error}"
                raise DataError(message, "check the quotation marks before it") from error
