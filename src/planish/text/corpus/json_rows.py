"""Rows in JSON: an object a line, or an array of objects."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import IO, Any, NamedTuple, TextIO

from pydantic_core import from_json

from planish.errors import DataError
from planish.text.corpus.columns import Row
from planish.text.corpus.mending import MENDED
from planish.text.corpus.opened import HEAD_BYTES, byte_ranges, form, opened
from planish.text.corpus.rows import LONGEST_ROW_BYTES, NOT_AN_OBJECT, TOO_LONG, Rows

NOT_JSON = "not JSON"
BYTE_ORDER_MARK = "\ufeff".encode()
READ_CHARS = 1 << 20
NOT_BETWEEN = re.compile(r"[^\s,]")


def json_parts(path: str, shard_bytes: int) -> list[Rows]:
    """The rows of a file of JSON lines, or of one that is an array."""
    with opened(path) as file:
        begins_array = file.read(HEAD_BYTES).removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"[")
    if begins_array and form(path) == ".json":
        return [JsonArray(path)]
    return [JsonLines(path, start, end) for start, end in byte_ranges(path, shard_bytes)]


class JsonLines(NamedTuple):
    """The lines that begin at or behind byte `start` and before byte `end`."""

    path: str
    start: int
    end: int | None

    def rows(self, left_out: Counter[str], columns: Sequence[str] = ()) -> Iterator[Row]:
        """See `Rows`."""
        with opened(self.path) as file:
            # Unless the byte before it ends a line, the line that `start` falls into is of the part before.
            at = file.seek(max(self.start - 1, 0))
            if self.start:
                at = self._behind_line(file, at)
            while self.end is None or at < self.end:
                line = file.readline(LONGEST_ROW_BYTES)
                if not line:
                    return
                at += len(line)
                if len(line) == LONGEST_ROW_BYTES and not line.endswith(b"\n"):
                    left_out[TOO_LONG] += 1
                    at = self._behind_line(file, at)
                elif not line.isspace():
                    row = _row(line.removeprefix(BYTE_ORDER_MARK), left_out)
                    if row is not None:
                        yield row

    def _behind_line(self, file: IO[bytes], at: int) -> int:
        """Read on to the end of the line, or to where no line of this part can begin."""
        while self.end is None or at < self.end:
            part = file.readline(READ_CHARS)
            at += len(part)
            if not part or part.endswith(b"\n"):
                break
        return at


class JsonArray(NamedTuple):
    """The entries of one array, read piece by piece."""

    path: str

    def rows(self, left_out: Counter[str], columns: Sequence[str] = ()) -> Iterator[Row]:
        """See `Rows`.

        Raises:
            DataError: an entry is malformed; nothing behind it can be read.
        """
        with opened(self.path) as file, TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape") as text:
            number = 0
            try:
                for entry in _entries(text):
                    number += 1
                    if isinstance(entry, dict):
                        yield entry
                    else:
                        left_out[NOT_AN_OBJECT] += 1
            except ValueError as error:
                message = f"{self.path}: behind entry {number} of the array, {error}"
                raise DataError(message, "mend the file, or write an object a line (.jsonl)") from error


def _row(line: bytes, left_out: Counter[str]) -> Row | None:
    try:
        row = from_json(line, cache_strings="keys")
    except ValueError:
        row = _mended_row(line, left_out)
        if row is None:
            left_out[NOT_JSON] += 1
            return None
    if isinstance(row, dict):
        return row
    left_out[NOT_AN_OBJECT] += 1
    return None


def _mended_row(line: bytes, left_out: Counter[str]) -> Any:
    """What a line holds if only its UTF-8 is broken; None where it is no JSON even so."""
    try:
        row = from_json(line.decode(errors="replace"), cache_strings="keys")
    except ValueError:
        return None
    left_out[MENDED] += 1
    return row


def _entries(file: TextIO) -> Iterator[Any]:
    """The entries of the array that a file holds.

    Raises:
        ValueError: what comes next is no entry, or too long a one.
    """
    decode = json.JSONDecoder().raw_decode
    text, at = file.read(READ_CHARS).lstrip(), 1
    while True:
        next_entry = NOT_BETWEEN.search(text, at)
        at = next_entry.start() if next_entry is not None else len(text)
        if text[at : at + 1] == "]":
            if text[at + 1 :].strip() or file.read(READ_CHARS).strip():
                raise ValueError("it ends, but not the file")
            return
        try:
            entry, end = decode(text, at)
        except (ValueError, RecursionError):
            end = len(text)
        if end < len(text):
            yield entry
            at = end
            continue
        # It may go on: as much again is read, so that an entry of any length is read in linear time.
        text, at = text[at:], 0
        more = file.read(max(READ_CHARS, len(text))) if len(text) < LONGEST_ROW_BYTES else ""
        if not more:
            raise ValueError("there is no JSON, or over 64 MiB of it")
        text += more
