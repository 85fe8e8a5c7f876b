import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError, UsageError
from planish.find.human_counts import LEAST_COUNT, LEAST_TEXTS, LONGEST_COUNTED, count_corpus, count_texts, make_profile
from planish.text.corpus import Document, Shard, TextShard
from planish.text.words import word_runs

TEXTS = st.lists(st.text("ab’'s .-\n眼中", max_size=20), max_size=6)


def slow_counts(texts: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Occurrences of entries, and texts with them, one by one."""
    counts: Counter[str] = Counter()
    texts_with: Counter[str] = Counter()
    for text in texts:
        own: Counter[str] = Counter()
        for run in word_runs(text):
            for start in range(len(run)):
                for length in range(1, min(LONGEST_COUNTED, len(run) - start) + 1):
                    entry = " ".join(run[start : start + length])
                    own[entry.removesuffix("'s") if length == 1 else entry] += 1
        counts.update(own)
        texts_with.update(own.keys())
    return counts, texts_with


def shards(texts: list[str], size: int = 2) -> list[Shard]:
    return [TextShard(tuple(map(Document, texts[start : start + size]))) for start in range(0, len(texts), size)]


@given(TEXTS)
def test_counts_are_those_of_a_slow_count(texts: list[str]) -> None:
    counts, texts_with = slow_counts(texts)
    table = count_texts(texts)
    assert table["entry"].to_list() == sorted(counts, key=str.encode)
    assert table.rows() == [(entry, counts[entry], texts_with[entry]) for entry in table["entry"]]


@given(TEXTS, st.integers(1, 30), st.integers(1, 8))
def test_a_corpus_is_counted_exactly_however_little_fits_into_memory(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], held_characters: int, held_entries: int
) -> None:
    texts = ["a b", *texts, "a b's"]
    folder = tmp_path_factory.mktemp("counts")
    counts, texts_with = slow_counts(texts)
    counted = count_corpus(shards(texts), folder, held_characters=held_characters, held_entries=held_entries)
    assert {entry: (count, with_it) for entry, count, with_it in counted.table.iter_rows()} == {
        entry: (count, texts_with[entry])
        for entry, count in counts.items()
        if count >= LEAST_COUNT and texts_with[entry] >= LEAST_TEXTS
    }
    assert counted.table["entry"].is_sorted()
    assert counted.texts == len(texts)
    assert counted.totals == [
        sum(count for entry, count in counts.items() if entry.count(" ") == length) for length in range(LONGEST_COUNTED)
    ]
    assert list(folder.iterdir()) == []


@given(st.lists(st.text("abcdef ", max_size=30), min_size=2, max_size=6), st.integers(1, 5))
def test_above_its_cuts_a_corpus_is_kept_whole_and_no_more_than_so_many_of_a_length(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], most_kept: int
) -> None:
    texts = ["a b", *texts]
    whole = count_corpus(shards(texts), tmp_path_factory.mktemp("whole"))
    cut = count_corpus(shards(texts), tmp_path_factory.mktemp("cut"), most_kept)
    for length, least in enumerate(cut.cuts):
        own = whole.table.filter(pl.col("entry").str.count_matches(" ") == length)
        kept = cut.table.filter(pl.col("entry").str.count_matches(" ") == length)
        assert kept.equals(own.filter(pl.col("count") >= least))
        assert len(kept) <= most_kept
        assert least == LEAST_COUNT or len(own.filter(pl.col("count") >= least - 1)) > most_kept


def test_who_watches_is_told_how_many_words_were_counted(tmp_path: Path) -> None:
    told: list[int] = []
    count_corpus(shards(["a b", "c d", "e"], 1), tmp_path, listener=told.append, held_characters=1)
    assert told == [2, 4, 5]


def test_each_source_is_a_register_and_those_of_one_name_are_one(tmp_path: Path) -> None:
    for folder, name in (("one", "a.txt"), ("one", "b.txt"), ("two", "b.txt")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text("The old man.\n\nThe old cat.\n", encoding="utf-8")
    sources = [str(path) for path in sorted(tmp_path.glob("*/*.txt"))]
    made = make_profile(sources, tmp_path / "human.parquet")
    assert made.language.code == "en"
    sizes = json.loads(pl.read_parquet_metadata(tmp_path / "human.parquet")["registers"])
    assert {name: size["totals"][0] for name, size in sizes.items()} == {"a.txt": 6, "b.txt": 12}


def test_without_a_word_there_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no word"):
        count_corpus(shards(["…", "--"]), tmp_path)
    (tmp_path / "a.txt").write_text("The old man.", encoding="utf-8")
    with pytest.raises(UsageError, match="xx"):
        make_profile([str(tmp_path / "a.txt")], tmp_path / "human.parquet", "xx")
    assert not (tmp_path / "human.parquet").exists()
