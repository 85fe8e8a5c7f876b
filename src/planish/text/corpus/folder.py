"""A folder of files, each read as what it is."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from planish.errors import DataError
from planish.text.corpus.columns import EMPTY, Named
from planish.text.corpus.document import Document, Shard
from planish.text.corpus.formats import ROW_FORMS, TEXT_FORMS, row_shards, text_shards
from planish.text.corpus.mending import mended
from planish.text.corpus.opened import HEAD_BYTES, form, is_text, opened
from planish.text.corpus.paragraphs import decoded

# A text file that is longer is no document: its paragraphs are.
LONGEST_DOCUMENT_BYTES = 1 << 26
# To open a file takes about as long as to read so much.
OPENING_BYTES = 4_096

HIDDEN = "hidden file or folder"
UNKNOWN_FORM = "file of an unknown kind"
UNREADABLE = "file that cannot be read or has no texts"
UNREADABLE_FOLDER = "folder that cannot be read"
LINKED_FOLDER = "link to a folder"
NOT_A_FILE = "neither file nor folder"
NOT_UTF8 = "file that is not UTF-8 text"
TOO_LONG = "packed text file over 64 MiB"


class FolderShard(NamedTuple):
    """Some files of a folder: a path is a text file that is one document. `left_out` was counted on the way to them."""

    members: tuple[str | Shard, ...]
    left_out: tuple[tuple[str, int], ...] = ()

    def documents(self, left_out: Counter[str]) -> Iterator[Document]:
        """See `Shard`; a file that cannot be read is counted."""
        left_out.update(dict(self.left_out))
        for member in self.members:
            try:
                yield from _whole(member, left_out) if isinstance(member, str) else member.documents(left_out)
            except DataError:
                left_out[UNREADABLE] += 1


def folder_shards(folder: str, named: Named, shard_bytes: int) -> list[Shard]:
    """The documents in all files of a folder and of the folders in it, sorted by name."""
    left_out: Counter[str] = Counter()
    shards: list[Shard] = []
    members: list[str | Shard] = []
    held_bytes = 0
    for path, file_bytes in _files(folder, left_out):
        for member in _members(path, file_bytes, named, shard_bytes, left_out):
            members.append(member)
            held_bytes += OPENING_BYTES + min(file_bytes, shard_bytes)
            if held_bytes >= shard_bytes:
                shards.append(FolderShard(tuple(members)))
                members, held_bytes = [], 0
    return [*shards, FolderShard(tuple(members), tuple(left_out.items()))]


def _files(folder: str, left_out: Counter[str]) -> Iterator[tuple[str, int]]:
    """Every file that is to be read, with its size. Links to folders are not followed: they may lead in a circle."""
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            names = sorted(os.listdir(here))
        except OSError:
            left_out[UNREADABLE_FOLDER] += 1
            continue
        folders = []
        for name in names:
            if name.startswith("."):
                left_out[HIDDEN] += 1
                continue
            path = os.path.join(here, name)
            try:
                status = os.stat(path)
            except OSError:
                left_out[UNREADABLE] += 1
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, status.st_size
            elif not stat.S_ISDIR(status.st_mode):
                left_out[NOT_A_FILE] += 1
            elif os.path.islink(path):
                left_out[LINKED_FOLDER] += 1
            else:
                folders.append(path)
        pending += reversed(folders)


def _members(
    path: str, file_bytes: int, named: Named, shard_bytes: int, left_out: Counter[str]
) -> list[str] | list[Shard]:
    """What a file falls into; nothing where it cannot be read, which is counted."""
    if form(path) not in TEXT_FORMS + ROW_FORMS:
        left_out[UNKNOWN_FORM] += 1
        return []
    if form(path) in TEXT_FORMS and file_bytes <= LONGEST_DOCUMENT_BYTES:
        return [path]
    try:
        return text_shards(path, shard_bytes) if form(path) in TEXT_FORMS else row_shards(path, named, shard_bytes)
    except DataError:
        left_out[UNREADABLE] += 1
        return []


def _whole(path: str, left_out: Counter[str]) -> Iterator[Document]:
    with opened(path) as file:
        data = file.read(LONGEST_DOCUMENT_BYTES + 1)
    if len(data) > LONGEST_DOCUMENT_BYTES:
        left_out[TOO_LONG] += 1
        return
    if not is_text(data[:HEAD_BYTES]):
        left_out[NOT_UTF8] += 1
        return
    text = mended(decoded(data), left_out).strip()
    if text:
        yield Document(text)
    else:
        left_out[EMPTY] += 1
