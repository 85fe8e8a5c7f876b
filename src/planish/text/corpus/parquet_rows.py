"""Rows of a Parquet file."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import polars

from planish.errors import DataError
from planish.text.corpus.columns import Row
from planish.text.corpus.rows import Rows


def parquet_parts(path: str, shard_bytes: int) -> list[Rows]:
    """The rows of a file in parts of about so many bytes as they are stored.

    Raises:
        DataError: it is not a Parquet file.
    """
    with _readable(path):
        rows: int = polars.scan_parquet(path, glob=False).select(polars.len()).collect().item()
    part_rows = max(1, min(rows, rows * shard_bytes // Path(path).stat().st_size))
    return [ParquetRows(path, start, part_rows) for start in range(0, rows, part_rows)]


class ParquetRows(NamedTuple):
    """So many rows from row `start` on. While they are read, the row group that they are part of is in memory."""

    path: str
    start: int
    length: int

    def rows(self, left_out: Counter[str], columns: Sequence[str] = ()) -> Iterator[Row]:
        """See `Rows`.

        Raises:
            DataError: the file is damaged.
        """
        with _readable(self.path):
            table = polars.scan_parquet(self.path, glob=False).slice(self.start, self.length)
            if columns:
                table = table.select(columns)
            for batch in table.collect_batches():
                yield from batch.iter_rows(named=True)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{path} cannot be read as Parquet: {reason}", "check the file, or write it again") from error
