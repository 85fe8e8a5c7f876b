"""A file that a user names, open for reading; what can go wrong with it is an error in one line."""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from planish.errors import DataError

PACKED = ".gz"
# So much of a file tells whether it is text.
HEAD_BYTES = 65_536
# Control characters that no text has, and what a byte that is not UTF-8 is decoded to.
STRANGE = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\udc80-\udcff]")
STRANGE_SHARE = 0.1


def form(path: str) -> str:
    """What kind of file it is called: its suffix in lower case, without that of gzip."""
    return Path(path.lower().removesuffix(PACKED)).suffix


@contextmanager
def opened(path: str) -> Iterator[BufferedReader]:
    """The bytes of a file; a name in .gz is unpacked.

    Raises:
        DataError: the file is not there or cannot be read to its end.
    """
    try:
        with open(path, "rb") as file:
            yield BufferedReader(gzip.GzipFile(fileobj=file)) if path.lower().endswith(PACKED) else file
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}", "check the path") from error
    except gzip.BadGzipFile as error:
        raise DataError(f"{path} is not packed with gzip", "check the file") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} breaks off or is damaged", "fetch or pack it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the file and its permissions") from error


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8 text, but for a few broken bytes."""
    text = head.decode("utf-8", "surrogateescape")
    return len(STRANGE.findall(text)) <= STRANGE_SHARE * len(text)


def require_text(path: str) -> None:
    """Let a text file in any encoding but UTF-8 not be read as rubbish.

    Raises:
        DataError: it is something else, or cannot be read.
    """
    with opened(path) as file:
        head = file.read(HEAD_BYTES)
    if not is_text(head):
        raise DataError(f"{path} is not UTF-8 text", "save it as UTF-8, or name another file")


def byte_ranges(path: str, shard_bytes: int) -> list[tuple[int, int | None]]:
    """Where the shards of a file begin and end; what is packed can only be read from its beginning to its end."""
    if path.lower().endswith(PACKED):
        return [(0, None)]
    size = Path(path).stat().st_size
    return [(start, start + shard_bytes) for start in range(0, size, shard_bytes)]
