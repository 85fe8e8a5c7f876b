"""The rows of a benchmark: from a file, or from the Hub where no file is named."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from planish.errors import DataError
from planish.records.record import Record, fault_of, read_records

Row = TypeVar("Row", bound=Record)


def read_rows(data: Path | None, kind: type[Row], on_hub: str, split: str) -> list[Row]:
    """All rows of a benchmark.

    Args:
        data: Parquet or JSONL; None for the Hub.
        kind: of row.
        on_hub: what the data set is called there.
        split: the part of it that is scored.

    Raises:
        DataError: the file or the data set cannot be read, or a row is off; it is named.
    """
    if data is None:
        return list(_checked(_hub_rows(on_hub, split), kind, on_hub))
    if data.suffix.lower() == ".parquet":
        rows = list(_checked(_parquet_rows(data), kind, str(data)))
    else:
        rows = read_records(data, kind)
    if not rows:
        raise DataError(f"{data} holds no row", "give another --data")
    return rows


def _checked(rows: Iterable[Any], kind: type[Row], source: str) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        try:
            yield kind.model_validate(row)
        except ValidationError as error:
            raise DataError(f"{source}, row {number}: {fault_of(error).words}", f"mend row {number}") from error


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    import polars  # costs time that other forms need not spend

    if not path.is_file():
        raise DataError(f"there is no file {path}", "check the path")
    try:
        yield from polars.read_parquet(path, glob=False).iter_rows(named=True)
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{path} cannot be read as Parquet: {reason}", "check the file, or write it again") from error


def _hub_rows(name: str, split: str) -> Iterable[Any]:
    from datasets import load_dataset

    try:
        return list(load_dataset(name, split=split))
    except Exception as error:  # the network and the Hub fail in many ways
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        message = f"the data set {name} cannot be read from the Hub: {reason}"
        raise DataError(message, "check the connection, or give its rows in a file: --data FILE") from error
