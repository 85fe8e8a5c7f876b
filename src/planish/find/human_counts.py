"""What a human profile is made of: how often words and phrases stand in a corpus, of any size."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, reduce
from itertools import islice, pairwise
from operator import and_
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl

from planish.errors import DataError, UsageError
from planish.find.languages import Language, detect_language, require_language
from planish.runs.disk import PARTIAL, sync
from planish.text.corpus import Shard, open_corpus
from planish.text.word_ids import BREAK, number_words

# Phrases are counted up to this length; a longer one is no more frequent than its rarest part of this length.
LONGEST_COUNTED = 3
# An entry that was counted less often, or in one text only, is taken as not seen: it may be one author's own.
LEAST_COUNT, LEAST_TEXTS = 2, 2
# Of each length so many entries are kept, the most frequent.
MOST_KEPT = 1_000_000
# So much text is counted at once, and so many entries of such counts are added up at once: about a gigabyte each.
HELD_CHARACTERS, HELD_ENTRIES = 1 << 24, 1 << 23
# So many texts tell the language of a corpus: it is not read to the end for that.
TELLING_TEXTS = 1000
# By so many entries of a file of counts one knows which of them it has.
KNOWN_TOGETHER = 1 << 16
# Under this key the registers stand in a profile's file; it makes a Parquet file one.
REGISTERS, LANGUAGE = "registers", "language"


class Counted(NamedTuple):
    """A corpus, counted.

    `table` has the columns entry, count and texts, in order of entries; `totals` and `cuts` are by length: all
    occurrences, and the least count that was kept.
    """

    table: pl.DataFrame
    texts: int
    totals: list[int]
    cuts: list[int]
    left_out: Counter[str]


class Made(NamedTuple):
    """A profile that was written: its language with the reason, and its registers by name."""

    language: Language
    registers: dict[str, Counted]


def make_profile(
    sources: Sequence[str],
    path: Path,
    language: str | None = None,
    text_column: str | None = None,
    most_kept: int = MOST_KEPT,
    listener: Callable[[str, int], None] = lambda name, words: None,
) -> Made:
    """Count what people write, and keep it as a file that `HumanProfile.open` opens.

    Args:
        sources: each is a register of its own, but those of one name are one.
        path: of the profile; what is there is overwritten.
        language: of all the texts; by default it is told by their words.
        text_column: of tables.
        most_kept: words, pairs of words and threes that are kept of a register, of each.
        listener: is told now and then how many words of a register were counted.

    Raises:
        DataError: a source cannot be read or has no word, or its language cannot be told.
        UsageError: there is no such language, or the file cannot be written.
    """
    shards: dict[str, list[Shard]] = {}
    for source in sources:
        corpus = open_corpus(source, text_column)
        shards.setdefault(corpus.name, []).extend(corpus.shards)
    if language is None:
        told = detect_language(_beginnings([shard for own in shards.values() for shard in own]))
    else:
        told = Language(require_language(language), f"language: {language}, as it was named")
    registers = {
        name: count_corpus(own, path.parent, most_kept, partial(listener, name)) for name, own in shards.items()
    }
    write_profile(path, registers, told.code)
    return Made(told, registers)


def _beginnings(shards: Sequence[Shard]) -> Iterator[str]:
    """The first texts of each shard."""
    for shard in shards:
        for document in islice(shard.documents(Counter()), max(1, TELLING_TEXTS // len(shards))):
            yield document.text


def write_profile(path: Path, registers: Mapping[str, Counted], language: str) -> None:
    """Write what `HumanProfile.read` reads; the file is there whole or not at all."""
    sizes = {
        name: {"texts": counted.texts, "totals": counted.totals, "cuts": counted.cuts}
        for name, counted in registers.items()
    }
    table = pl.concat(
        counted.table.select(pl.lit(name).alias("register"), pl.all()) for name, counted in registers.items()
    )
    unfinished = path.with_name(path.name + PARTIAL)
    try:
        table.write_parquet(unfinished, metadata={REGISTERS: json.dumps(sizes), LANGUAGE: language})
        sync(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", "give another --out") from error


def count_corpus(
    shards: Sequence[Shard],
    folder: Path,
    most_kept: int = MOST_KEPT,
    listener: Callable[[int], None] = lambda words: None,
    *,
    held_characters: int = HELD_CHARACTERS,
    held_entries: int = HELD_ENTRIES,
) -> Counted:
    """Count the words, and the phrases of two and three words, of a corpus that need not fit into memory.

    Every count is exact. The counts of one block of texts after the other are written to the disk, in order of the
    alphabet, and added up one stretch of the alphabet after the other. Of each length the most frequent entries are
    kept: all that were counted as often as its cut, in two texts at least.

    Args:
        shards: of the corpus.
        folder: where counts are kept meanwhile, about as large as the corpus itself.
        most_kept: entries of each length.
        listener: is told after each block how many words were counted.
        held_characters: of text that is in memory at once.
        held_entries: of counts that are in memory at once.

    Raises:
        DataError: there is no word in the corpus.
    """
    left_out: Counter[str] = Counter()
    totals = np.zeros(LONGEST_COUNTED, dtype=np.int64)
    texts = entries = 0
    with TemporaryDirectory(dir=folder, prefix=".counts") as name:
        blocks = Path(name) / "blocks"
        sums = Path(name) / "sums"
        blocks.mkdir()
        sums.mkdir()
        for number, block in enumerate(_blocks(shards, left_out, held_characters)):
            counts = count_texts(block)
            counts.write_parquet(blocks / f"{number}.parquet", row_group_size=KNOWN_TOGETHER)
            for length, occurrences in counts.group_by(_LENGTH.alias("length")).agg(pl.col("count").sum()).iter_rows():
                totals[length - 1] += occurrences
            texts += len(block)
            entries += len(counts)
            listener(int(totals[0]))
        if not totals[0]:
            raise DataError("there is no word in what was read", "give texts that people wrote")
        _add_up(blocks, sums, -(-entries // held_entries), least_texts(texts))
        every = pl.scan_parquet(sums / "*.parquet")
        cuts = _cuts(every, most_kept)
        kept = every.filter(pl.col("count") >= _LENGTH.replace_strict(range(1, LONGEST_COUNTED + 1), cuts))
        return Counted(kept.collect(), texts, totals.tolist(), cuts, left_out)


_LENGTH = pl.col("entry").str.count_matches(" ", literal=True) + 1


def _blocks(shards: Iterable[Shard], left_out: Counter[str], held_characters: int) -> Iterator[list[str]]:
    block: list[str] = []
    characters = 0
    for shard in shards:
        for document in shard.documents(left_out):
            block.append(document.text)
            characters += len(document.text)
            if characters >= held_characters:
                yield block
                block, characters = [], 0
    if block:
        yield block


def count_texts(texts: Sequence[str]) -> pl.DataFrame:
    """Occurrences, and texts with at least one, of each word and of each phrase of two or three.

    Columns entry, count and texts, in order of entries. A phrase is written with one space between its words;
    punctuation ends it. "lily's" as a word is "lily".
    """
    numbered = number_words(texts)
    frames = []
    for length in range(1, LONGEST_COUNTED + 1):
        words, ids = numbered.words, numbered.ids
        if length == 1:
            words, number_of_bare = map(
                list, np.unique([word.removesuffix("'s") for word in words], return_inverse=True)
            )
            ids = np.array(number_of_bare)[ids]
        places = max(0, len(ids) - length + 1)
        parts = {f"word {at}": ids[at : at + places] for at in range(length)}
        in_a_run = reduce(and_, (numbered.ids[at : at + places] != BREAK for at in range(length)))
        strings = pl.DataFrame({**parts, "text": numbered.texts[:places]}).filter(pl.Series(in_a_run))
        counts = strings.group_by(*parts).agg(
            pl.len().cast(pl.Int64).alias("count"), pl.col("text").n_unique().cast(pl.Int64).alias("texts")
        )
        spelled = pl.Series(words, dtype=pl.String)
        entry = pl.concat_str([spelled.gather(counts[part]) for part in parts], separator=" ")
        frames.append(counts.select(entry.alias("entry"), pl.col("count", "texts")))
    return pl.concat(frames).sort("entry")


def _bare(word: str) -> str:
    return word.removesuffix("'s")


def least_texts(texts: int) -> int:
    """How many of so many texts have to say something: where there is but one, it has to do."""
    return min(LEAST_TEXTS, texts)


def _add_up(blocks: Path, sums: Path, stretches: int, least_texts: int) -> None:
    """Add up the counts of blocks, in so many stretches of the alphabet, without what too few texts say."""
    every = pl.scan_parquet(blocks / "*.parquet")
    spread = every.select("entry").gather_every(KNOWN_TOGETHER // 64).collect()["entry"].sort()
    inner = spread.gather_every(max(1, len(spread) // stretches))[1:].unique(maintain_order=True).to_list()
    for number, (first, behind) in enumerate(pairwise(["", *inner, None])):
        stretch = every.filter(pl.col("entry") >= first)
        if behind is not None:
            stretch = stretch.filter(pl.col("entry") < behind)
        added = stretch.group_by("entry").agg(pl.col("count").sum(), pl.col("texts").sum())
        seen = added.filter(pl.col("count") >= LEAST_COUNT, pl.col("texts") >= least_texts).sort("entry")
        seen.collect().write_parquet(sums / f"{number:06}.parquet")


def _cuts(every: pl.LazyFrame, most_kept: int) -> list[int]:
    """The least count of each length with which no more entries are kept."""
    entries_with = every.group_by(_LENGTH.alias("length"), "count").agg(pl.len().alias("entries")).collect()
    cuts = []
    for length in range(1, LONGEST_COUNTED + 1):
        cut, kept = LEAST_COUNT, 0
        own = entries_with.filter(pl.col("length") == length).sort("count", descending=True)
        for count, entries in own.select("count", "entries").iter_rows():
            kept += entries
            if kept > most_kept:
                cut = count + 1
                break
        cuts.append(cut)
    return cuts
