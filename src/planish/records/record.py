"""What every row is: frozen, checked, one JSON object a line."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from planish.errors import DataError

RecordType = TypeVar("RecordType", bound="Record")
# What should stand where something else does, by what pydantic calls the error.
WANTED: Mapping[str, str] = {
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("dict_type", "model_attributes_type", "model_type"), "an object"),
    **dict.fromkeys(("finite_number", "float_parsing", "float_type"), "a number"),
    **dict.fromkeys(("int_from_float", "int_parsing", "int_parsing_size", "int_type"), "a whole number"),
    "string_type": "a text",
    "tuple_type": "a list",
}
# A value is shown up to here.
MOST_SHOWN = 40


class Fault(NamedTuple):
    """What is off with a row, in words. `kind` is the same wherever the same is off, whatever the values are."""

    kind: str
    words: str


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
            raise DataError(f"{path}, line {number}: {fault_of(error).words}", f"mend line {number}") from error
    return records


def fault_of(error: ValidationError) -> Fault:
    """What is off with a row that was refused; of a value that can have several forms, in the form it is nearest to."""
    nearest: Any = max(error.errors(include_url=False), key=lambda each: len(each["loc"]))
    # Between the names of fields stand those of the forms that were tried.
    parts = [part for part in nearest["loc"] if isinstance(part, int) or (part.isidentifier() and part != "str")]
    place = ".".join(map(str, parts)) or "the line"
    names = [part for part in parts if isinstance(part, str)]
    return Fault(" ".join([nearest["type"], *names]), _words(place, nearest))


def _words(place: str, error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "missing":
            return f"{place} is missing"
        case "extra_forbidden":
            return f"there is no field {place}"
        case "json_invalid":
            # Where in the line: its parser takes it for a whole file.
            return f"{place} is no JSON: {error['ctx']['error'].replace('line 1 ', '')}"
        case "value_error":
            return f"{place}: {error['ctx']['error']}"
    wanted = error["ctx"]["expected"] if error["type"] == "literal_error" else WANTED.get(error["type"])
    return f"{place} is {_shown(error['input'])}, {f'not {wanted}' if wanted else 'which does not fit'}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"
