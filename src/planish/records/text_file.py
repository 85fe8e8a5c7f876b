"""The lines of a text file that a user hands in."""

import re
from collections.abc import Iterator
from pathlib import Path

from planish.errors import DataError

# How a file is called that has one JSON object a line.
JSON_LINES = (".jsonl", ".ndjson", ".json")
# NUL, and what a byte that is not UTF-8 is decoded to.
NOT_TEXT = re.compile("[\0\udc80-\udcff]")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Every line with its number, from 1. A line ends at LF, CRLF or CR; other separators are part of it.

    Raises:
        DataError: the file is not there or cannot be read, or a line is not UTF-8; the line is named.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, start=1):
                if NOT_TEXT.search(line):
                    raise DataError(f"{path}, line {number} is not UTF-8 text", "save the file as UTF-8")
                yield number, line.removesuffix("\n")
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder", "name a file in it") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"there is no file {path}", "check the path") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the file and its permissions") from error
