"""Documents of a file, a folder or a data set of the Hub, in shards that any number of processes can read."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from planish.errors import DataError, UsageError
from planish.text.corpus.columns import Named
from planish.text.corpus.document import Document, Shard, TextShard
from planish.text.corpus.folder import folder_shards
from planish.text.corpus.formats import ROW_FORMS, TEXT_FORMS, hub_shards, row_shards, text_shards
from planish.text.corpus.opened import form

__all__ = ["Corpus", "Document", "Shard", "TextShard", "open_corpus"]

# A process has this much work before it asks for more.
SHARD_BYTES = 1 << 24
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
FORMS = "name a text file, .jsonl, .json, .csv, .parquet, a folder of them, or the Hub id of a data set"


class Corpus(NamedTuple):
    """A source of documents; how it falls into shards depends on the source alone."""

    name: str
    shards: Sequence[Shard]


def open_corpus(
    source: str | Path,
    text_column: str | None = None,
    prompt_column: str | None = None,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> Corpus:
    """The documents of a source that a user names; at no time is all of it in memory.

    Args:
        source: a text file (its paragraphs are the documents, in pieces of about 1,000 words where they are longer),
            JSON lines, a JSON array, CSV or Parquet (a document a row), each but Parquet also packed (.gz); a folder
            (a text file in it is one document); or the Hub id of a data set (owner/name; its train split is streamed).
        text_column: the column with the texts, or with lists of turns whose last by the assistant is the text;
            otherwise it is found by its name.
        prompt_column: the column with what they were written for; otherwise it is found by its name.
        shard_bytes: about so many bytes of a file make a shard.

    Raises:
        DataError: the source is not there, cannot be read, has no such column or holds no text.
        UsageError: a column is named, but a text file has none.
        MissingPackageError: a data set is named, but the package `datasets` is not installed.
    """
    path, named = str(source), Named(text_column, prompt_column)
    name = os.path.basename(os.path.abspath(path))
    if os.path.isdir(path):
        shards = folder_shards(path, named, shard_bytes)
    elif os.path.isfile(path):
        shards = _file_shards(path, named, shard_bytes)
    elif HUB_ID.fullmatch(path) and form(path) not in TEXT_FORMS + ROW_FORMS:
        name, shards = path, hub_shards(path, named)
    else:
        raise DataError(f"{path} is no file" if os.path.exists(path) else f"there is no file {path}", FORMS)
    left_out: Counter[str] = Counter()
    if not any(True for shard in shards for _ in shard.documents(left_out)):
        reasons = "; ".join(f"{reason}: {count:,}" for reason, count in left_out.items())
        hint = "check the source; if its texts stand in another column, name it: --text-column NAME"
        raise DataError(f"{path} holds no text" + (f" ({reasons})" if reasons else ""), hint)
    return Corpus(name, shards)


def _file_shards(path: str, named: Named, shard_bytes: int) -> list[Shard]:
    if form(path) in ROW_FORMS:
        return row_shards(path, named, shard_bytes)
    if named != Named():
        raise UsageError(f"{path} is read as text, which has no columns", "leave the names of columns out")
    return text_shards(path, shard_bytes)
