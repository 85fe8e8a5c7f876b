"""What every row is: frozen, checked, one JSON object a line."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from planish.errors import DataError

RecordType = TypeVar("RecordType", bound="Record")


class Record(BaseModel):
    """A row of a file. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write one JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(record.model_dump_json() + "\n" for record in records)


def read_records(path: Path, kind: type[RecordType]) -> list[RecordType]:
    """Read what `write_records` wrote.

    Raises:
        DataError: the file is not there, or a line is not such a record; the line is named.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}", "check the path")
    records = []
    try:
        # JSON leaves some separators as they are at which `splitlines` would cut.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file", "give a file with one JSON object a line") from error
    for number, line in enumerate(lines[:-1] if lines[-1] == "" else lines, start=1):
        try:
            records.append(kind.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the line"
            raise DataError(f"{path}, line {number}: {place}: {first['msg']}", f"mend line {number}") from error
    return records
