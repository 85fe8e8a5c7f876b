"""What `planish find` reads: texts that are there, or those that a model writes first."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from planish.recipes.find_settings import FindSettings
from planish.recipes.made_model import MODEL_CONFIG, OWN_NAMES
from planish.records.prompt_file import HUB_ID
from planish.text.corpus import Document, Shard, TextShard, open_corpus

# Documents in memory that one process takes at a time.
HELD = 1024

# Says that something of a kind happened in a stage, with figures.
Say = Callable[..., None]


class Source(NamedTuple):
    """Documents under a name.

    `left_out` counts, by reason, what was left out before any shard is read. `known` are words that are nobody's
    choice, such as those of a chat template.
    """

    name: str
    shards: Sequence[Shard]
    left_out: Mapping[str, int] = {}
    known: frozenset[str] = frozenset()


def open_source(source: str, name: str, settings: FindSettings, folder: Path | None, say: Say) -> Source:
    """The documents of a source that a user names; a model writes them now.

    Args:
        source: see `FindSettings.sources`.
        name: what it is to be called.
        settings: of the whole.
        folder: where the texts of a model are kept, if anywhere.
        say: is told how the writing goes.

    Raises:
        DataError: the source is not there or cannot be read, or nothing could be written.
        ModelError: the model cannot be loaded, or its server not be reached.
    """
    if is_model(source):
        from planish.recipes.find_texts import write_source  # loads torch, which texts need not wait for

        return write_source(source, name, settings, folder, say)
    corpus = open_corpus(source, settings.text_column, settings.prompt_column)
    if settings.limit is None:
        return Source(name, corpus.shards)
    left_out: Counter[str] = Counter()
    return Source(name, held(list(islice(_documents(corpus.shards, left_out), settings.limit))), left_out)


def is_model(source: str) -> bool:
    """Whether a source is a model: one that ships, a folder with a model's configuration, or one of the Hub."""
    if source in OWN_NAMES or (Path(source) / MODEL_CONFIG).is_file():
        return True
    return HUB_ID.fullmatch(source) is not None and not Path(source).exists() and _is_hub_model(source)


def held(documents: Sequence[Document]) -> list[Shard]:
    """Documents in memory, as shards."""
    return [TextShard(tuple(documents[start : start + HELD])) for start in range(0, len(documents), HELD)]


def _documents(shards: Sequence[Shard], left_out: Counter[str]) -> Iterator[Document]:
    for shard in shards:
        yield from shard.documents(left_out)


def _is_hub_model(name: str) -> bool:
    from huggingface_hub import file_exists, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, MODEL_CONFIG), str):
        return True
    try:
        return file_exists(name, MODEL_CONFIG)
    # Without the network nothing is known of it; as a data set it then says what is wrong.
    except Exception:
        return False
