"""A text file, whose paragraphs are its documents."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import IO, NamedTuple

from planish.text.corpus.document import Document, Shard
from planish.text.corpus.mending import mended
from planish.text.corpus.opened import byte_ranges, opened
from planish.text.corpus.passages import passages

# So much of a file is held at once. Only a paragraph that is longer is cut at places which are not all of its own.
PIECE_BYTES = 1 << 20
BLANK_LINE = re.compile(r"\n\s*\n")
# In bytes, nothing is a blank line that is none in the text.
BLANK_LINE_BYTES = re.compile(rb"\n[ \t\r\f\v]*\n")
# In UTF-8, a character is four bytes at most.
BEGUN_CHARACTER = re.compile(rb"[\xc0-\xff][\x80-\xbf]*\Z")


def paragraph_shards(path: str, shard_bytes: int) -> list[Shard]:
    """The paragraphs of a text file."""
    return [ParagraphShard(path, start, end) for start, end in byte_ranges(path, shard_bytes)]


class ParagraphShard(NamedTuple):
    """The paragraphs from the first that begins behind byte `start` (0: at it) to the one in which byte `end` falls.

    Paragraphs stand between blank lines; a long one is several documents.
    """

    path: str
    start: int
    end: int | None

    def documents(self, left_out: Counter[str]) -> Iterator[Document]:
        """See `Shard`."""
        with opened(self.path) as file:
            for piece in _pieces(file, self.start, self.end):
                for paragraph in BLANK_LINE.split(decoded(piece)):
                    texts = (mended(passage.strip(), left_out).strip() for passage in passages(paragraph.strip()))
                    yield from (Document(text) for text in texts if text)


def decoded(data: bytes) -> str:
    """The text in these bytes with one kind of line end; broken bytes become surrogates, which `mended` sees."""
    return data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")


def _pieces(file: IO[bytes], start: int, end: int | None) -> Iterator[bytes]:
    """What stands from the first break behind byte `start` to the first behind `end`, in pieces between breaks.

    Where a break is depends on nothing but the bytes behind the place from which it is sought: two shards that meet
    find the same.
    """
    file.seek(start)
    held = file.read(PIECE_BYTES)
    at = _break_in(held) if start else 0
    while held and (end is None or start < end):
        step = PIECE_BYTES if end is None else min(PIECE_BYTES, end - start)
        held += file.read(step)
        stop = step + _break_in(held[step:])
        yield held[at:stop]
        held, at, start = held[step:], stop - step, start + step


def _break_in(ahead: bytes) -> int:
    """How many of these bytes stand before the first break: a blank line, or else the end of a line, word or text."""
    blank_line = BLANK_LINE_BYTES.search(ahead)
    if blank_line is not None:
        return blank_line.end()
    if len(ahead) < PIECE_BYTES:
        return len(ahead)
    return ahead.rfind(b"\n") + 1 or ahead.rfind(b" ") + 1 or len(ahead) - len(_begun_character(ahead))


def _begun_character(data: bytes) -> bytes:
    """The character that these bytes end in, so far as it may go on."""
    begun = BEGUN_CHARACTER.search(data[-3:])
    return begun.group() if begun is not None else b""
