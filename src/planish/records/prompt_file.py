"""Prompts from a file or a data set that a user names."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from planish.errors import DataError, MissingPackageError, UsageError
from planish.records.prompt import Prompt
from planish.records.prompt_row import PROMPT_FIELDS, PromptShape, Row, is_own
from planish.records.text_file import JSON_LINES, numbered_lines

FILE_SUFFIXES = (*JSON_LINES, ".parquet", ".txt", ".md", ".csv")
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
FORMS = "give a text file with a prompt a line, .jsonl, .parquet or the Hub id of a data set"

# Each text or row, or why it is none, with its place in the file.
Placed = Iterator[tuple[str, str | Row | ValueError]]


def read_prompts(
    source: str | Path,
    *,
    system: str | None = None,
    template: str | None = None,
    as_opening: bool = False,
    first_words: int | None = None,
    limit: int | None = None,
) -> list[Prompt]:
    """The distinct prompts of a file or a data set, in order.

    Args:
        source: a text file (a prompt a line), JSONL, a JSON array, CSV or Parquet (rows of `Prompt`, or rows with
            messages, conversations, prompt or text), or the Hub id of a data set (owner/name; its train split is
            streamed).
        system: a system turn in front of each, instead of the row's own.
        template: is put around each; `{prompt}` in it stands for the text.
        as_opening: the texts are beginnings of texts to be continued, not requests.
        first_words: only so many words of each text are used.
        limit: what comes after so many distinct prompts is not read.

    Raises:
        DataError: the source is not there, cannot be read or holds no prompt, or a line is malformed; it is named.
        UsageError: an option does not go with another, or has an impossible value.
        MissingPackageError: a data set is named, but the package `datasets` is not installed.
    """
    shape = PromptShape(system, template, as_opening, first_words)
    if limit is not None and limit < 1:
        raise UsageError(f"{limit} prompts are none", "use 1 or more")
    on_hub = _is_hub_id(source)
    name = Path(source).as_posix() if on_hub else Path(source).name
    prompts: dict[str, Prompt] = {}
    for place, given in _hub_rows(name) if on_hub else rows_in_file(Path(source)):
        if isinstance(given, ValueError):
            raise _malformed(source, place, given) from given
        try:
            prompt = shape.prompt(given, name)
        except ValueError as error:
            raise _malformed(source, place, error) from error
        prompts.setdefault(prompt.id, prompt)
        if len(prompts) == limit:
            break
    if not prompts:
        raise DataError(f"{source} holds no prompt", FORMS)
    return list(prompts.values())


def _is_hub_id(source: str | Path) -> bool:
    path = Path(source)
    return (
        HUB_ID.fullmatch(path.as_posix()) is not None and path.suffix.lower() not in FILE_SUFFIXES and not path.exists()
    )


def rows_in_file(path: Path, fields: Sequence[str] = PROMPT_FIELDS) -> Placed:
    """The texts of a text file, or the rows of any other; of a table only these columns are read, if it has any.

    Raises:
        DataError: the file is not there or cannot be read.
    """
    if path.suffix.lower() in JSON_LINES:
        return _json_rows(path)
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path, fields)
    if path.suffix.lower() == ".csv" and path.is_file():
        return _csv_rows(path)
    return _texts(path)


def _texts(path: Path) -> Placed:
    for number, line in numbered_lines(path):
        if line.strip():
            yield f"line {number}", line.strip()


def _json_rows(path: Path) -> Placed:
    if (
        path.suffix.lower() == ".json"
        and next((line for _, line in numbered_lines(path) if line.strip()), "")[0] == "["
    ):
        yield from _json_array(path)
        return
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            row = from_json(line)
        except ValueError as error:
            # Where in the line: its parser takes it for a whole file.
            yield place, ValueError(str(error).replace("line 1 ", ""))
        else:
            yield place, _object(row)


def _json_array(path: Path) -> Placed:
    try:
        rows = from_json(path.read_bytes())
    except ValueError as error:
        raise _malformed(path, "the array", error) from error
    for number, row in enumerate(rows, start=1):
        yield f"entry {number}", _object(row)


def _object(row: Any) -> Row | ValueError:
    return row if isinstance(row, dict) else ValueError("not a JSON object")


def _csv_rows(path: Path) -> Placed:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            yield f"row {number}", dict(row)


def _parquet_rows(path: Path, fields: Sequence[str]) -> Placed:
    import polars  # costs time that other forms need not spend

    if not path.is_file():
        raise DataError(f"{path} is a folder" if path.is_dir() else f"there is no file {path}", "name a .parquet file")
    try:
        table = polars.scan_parquet(path, glob=False)
        columns = table.collect_schema().names()
        if not is_own(columns):
            # A table without prompts is refused by the names of its columns, so all are read then.
            table = table.select([name for name in columns if name in fields] or columns)
        rows = (row for batch in table.collect_batches() for row in batch.iter_rows(named=True))
        for number, row in enumerate(rows, start=1):
            yield f"row {number}", row
    except (polars.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is not a Parquet file: {_first_line(error)}", FORMS) from error


def _hub_rows(name: str) -> Placed:
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise MissingPackageError("datasets") from error
    try:
        for number, row in enumerate(load_dataset(name, split="train", streaming=True), start=1):
            yield f"row {number}", row
    # The network, the Hub and the readers of a dozen formats each fail in their own ways.
    except Exception as error:
        message = f"there is no file {name}, and as a data set of the Hub it cannot be read: {_first_line(error)}"
        raise DataError(message, "check the name and the connection; what is private needs HF_TOKEN") from error


def _malformed(source: str | Path, place: str, error: Exception) -> DataError:
    if isinstance(error, ValidationError):
        first: Any = error.errors()[0]
        reason = ": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")
    else:
        reason = _first_line(error)
    fields = f"{', '.join(PROMPT_FIELDS[:-1])} or {PROMPT_FIELDS[-1]}"
    return DataError(f"{source}, {place}: {reason}", f"mend or remove {place}; a prompt is in {fields}")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
