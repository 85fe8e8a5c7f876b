"""The documents of one file or data set, whatever its format."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from planish.text.corpus.columns import Named, Row, find_columns
from planish.text.corpus.csv_rows import CsvRows
from planish.text.corpus.document import Shard
from planish.text.corpus.hub_rows import HubRows
from planish.text.corpus.json_rows import json_parts
from planish.text.corpus.opened import form, require_text
from planish.text.corpus.paragraphs import paragraph_shards
from planish.text.corpus.parquet_rows import ParquetRows, parquet_parts
from planish.text.corpus.rows import Rows, RowShard

TEXT_FORMS = (".txt", ".md")
JSON_FORMS = (".jsonl", ".ndjson", ".json")
ROW_FORMS = (*JSON_FORMS, ".csv", ".parquet")
# By so many rows at the beginning, the columns are found.
HEAD_ROWS = 100


def text_shards(path: str, shard_bytes: int) -> list[Shard]:
    """The paragraphs of a text file.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    require_text(path)
    return paragraph_shards(path, shard_bytes)


def row_shards(path: str, named: Named, shard_bytes: int) -> list[Shard]:
    """The texts in the rows of a file.

    Raises:
        DataError: it cannot be read, or has no row or no such column.
    """
    if form(path) == ".parquet":
        # All columns of the head are read, pictures too: it is a part of its own.
        return _shards(parquet_parts(path, shard_bytes), [ParquetRows(path, 0, HEAD_ROWS)], path, named)
    require_text(path)
    parts = [CsvRows(path)] if form(path) == ".csv" else json_parts(path, shard_bytes)
    return _shards(parts, parts, path, named)


def hub_shards(name: str, named: Named) -> list[Shard]:
    """The texts in a data set of the Hub.

    Raises:
        DataError: it cannot be read, or has no row or no such column.
        MissingPackageError: the package `datasets` is not installed.
    """
    parts = [HubRows(name)]
    return _shards(parts, parts, name, named)


def _shards(parts: Sequence[Rows], head: Sequence[Rows], source: str, named: Named) -> list[Shard]:
    columns = find_columns(list(islice(_rows(head), HEAD_ROWS)), source, named)
    return [RowShard(part, columns) for part in parts]


def _rows(parts: Sequence[Rows]) -> Iterator[Row]:
    for part in parts:
        yield from part.rows(Counter())
