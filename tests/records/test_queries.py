import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars
import pytest

from planish.errors import DataError
from planish.records.queries import Queries, read_queries

SHARED = Path(__file__).parents[3] / "shared" / "data"


def written(folder: Path, rows: list[Any], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def said(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"id": "x", "conversations": [{"from": speaker, "value": text} for speaker, text in turns]}


def test_the_first_turn_of_a_person_is_the_query(tmp_path: Path) -> None:
    rows = [
        said(("human", " How do bees fly? "), ("gpt", "With wings."), ("human", "Why do they?")),
        said(("system", "Be kind."), ("user", "Where do ants sleep?")),
        {"messages": [{"role": "user", "content": "Who made the moon?"}, {"role": "assistant", "content": "Nobody."}]},
    ]
    wanted = Queries(["How do bees fly?", "Where do ants sleep?", "Who made the moon?"], Counter())
    assert read_queries(written(tmp_path, rows)) == wanted
    array = tmp_path / "rows.json"
    array.write_text(json.dumps(rows), encoding="utf-8")
    assert read_queries(array) == wanted


def test_a_query_may_stand_in_a_column(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Translate this.", "input": "bonjour", "output": "hello", "text": "Below is what to do"},
        {"instruction": "Name a bird.", "input": ""},
        {"prompt": "Name a fish."},
        {"text": "Name a tree.", "prompt": None},
        {"query": "Name a stone."},
    ]
    wanted = ["Translate this.\nbonjour", "Name a bird.", "Name a fish.", "Name a tree.", "Name a stone."]
    assert read_queries(written(tmp_path, rows)).texts == wanted
    polars.DataFrame(rows[:1]).write_parquet(tmp_path / "rows.parquet")
    assert read_queries(tmp_path / "rows.parquet").texts == wanted[:1]


def test_whatever_is_no_query_is_skipped_and_counted(tmp_path: Path) -> None:
    rows = [
        said(("gpt", "As I said before."), ("human", "Go on please")),
        said(("bing", "Hello there."), ("human", "Go on please")),
        said(("human", "Hi")),
        said(("human", "x" * 301)),
        {"conversations": []},
        {"conversations": [{"from": "human"}]},
        {"conversations": ["How do bees fly?"]},
        {"answer": "With wings."},
        "{not json",
        "[1]",
        said(("human", "How do bees fly?")),
        said(("human", "How do bees fly?")),
    ]
    found = read_queries(written(tmp_path, rows))
    assert found.texts == ["How do bees fly?"]
    assert found.skipped == {
        "not begun by a person": 2,
        "too short": 1,
        "too long": 1,
        "no query": 2,
        "malformed": 4,
        "seen before": 1,
    }


def test_the_bounds_and_the_limit_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path, ["four", "fives", "sixsix", "sevenam"], "queries.txt")
    assert read_queries(path, least_characters=5, most_characters=6).texts == ["fives", "sixsix"]
    assert read_queries(path, least_characters=1, limit=3).texts == ["four", "fives", "sixsix"]


def test_a_file_without_any_query_is_refused_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.jsonl holds no query: too short \(2\), malformed \(1\)"):
        read_queries(written(tmp_path, [{"text": "a"}, {"text": "b"}, "{"]))
    with pytest.raises(DataError, match="there is no file"):
        read_queries(tmp_path / "nowhere.jsonl")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data is not here")
def test_real_instructions_are_read() -> None:
    found = read_queries(SHARED / "instructions.parquet")
    table = polars.read_parquet(SHARED / "instructions.parquet")
    assert len(found.texts) + found.skipped.total() == len(table)
    assert len(found.texts) > len(table) / 2
    assert all(5 <= len(text) <= 300 for text in found.texts)
