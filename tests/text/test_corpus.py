import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import polars
import pytest
from corpora import error_of, read, texts
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError, MissingPackageError
from planish.records.generation import Generation
from planish.records.record import write_records
from planish.text.corpus import Document, TextShard, open_corpus
from planish.text.corpus.columns import PROMPT_COLUMNS, TEXT_COLUMNS
from planish.text.corpus.passages import LONGEST_PASSAGE_CHARS, passages

ROW_SUFFIXES = [".jsonl", ".ndjson", ".json", ".jsonl.gz", ".csv", ".csv.gz", ".parquet"]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        polars.DataFrame(rows, infer_schema_length=None).write_parquet(path)
        return path
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", encoding="utf-8", newline="") as file:
        if ".csv" in path.name:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        elif path.suffix == ".json":
            json.dump(rows, file, indent=2)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


@pytest.mark.parametrize("suffix", ROW_SUFFIXES)
def test_each_row_is_a_document_with_its_prompt(tmp_path: Path, suffix: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "1", "completion": 'One, "two"\n\nand three.', "question": "A story?"},
        {"id": "2", "completion": "مرحبا بالعالم 你好", "question": ""},
    ]
    corpus = open_corpus(write_rows(tmp_path / f"rows{suffix}", rows))
    assert corpus.name == f"rows{suffix}"
    assert read(corpus) == ([Document(row["completion"], row["question"]) for row in rows], Counter())


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
@given(st.lists(ANY_TEXT.filter(lambda text: bool(text.strip())), min_size=1, max_size=5))
def test_a_text_in_a_row_is_not_changed(tmp_path_factory: pytest.TempPathFactory, suffix: str, held: list[str]) -> None:
    path = tmp_path_factory.mktemp("rows") / f"rows{suffix}"
    assert texts(write_rows(path, [{"text": text} for text in held])) == held


@pytest.mark.parametrize("columns", [TEXT_COLUMNS, PROMPT_COLUMNS])
def test_the_likeliest_column_that_is_there_is_read(tmp_path: Path, columns: tuple[str, ...]) -> None:
    for first in range(len(columns)):
        row: dict[str, Any] = {name: f"in {name}" for name in reversed(columns[first:])}
        if columns is TEXT_COLUMNS:
            expected = Document(f"in {columns[first]}")
        else:
            row["body"] = "The text."
            expected = Document("The text.", f"in {columns[first]}")
        assert read(open_corpus(write_rows(tmp_path / "rows.jsonl", [row])))[0] == [expected]


def test_a_likely_column_that_never_holds_a_text_is_passed_over(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": None, "output": "A."},
        {"text": "", "output": "B."},
        {"text": 3, "output": "C."},
    ]
    assert texts(write_rows(tmp_path / "rows.jsonl", rows)) == ["A.", "B.", "C."]


@pytest.mark.parametrize("suffix", ROW_SUFFIXES)
def test_columns_that_are_named_are_read(tmp_path: Path, suffix: str) -> None:
    path = write_rows(tmp_path / f"rows{suffix}", [{"text": "no", "prompt": "no", "poem": "Yes.", "wish": "Please."}])
    corpus = open_corpus(path, text_column="poem", prompt_column="wish")
    assert read(corpus)[0] == [Document("Yes.", "Please.")]


@pytest.mark.parametrize("suffix", ROW_SUFFIXES)
@pytest.mark.parametrize("options", [{}, {"text_column": "story"}, {"text_column": "poem", "prompt_column": "wish"}])
def test_without_such_a_column_those_that_are_there_are_named(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    error = error_of(write_rows(tmp_path / f"rows{suffix}", [{"poem": "Yes.", "author": "Ann"}]), **options)
    assert isinstance(error, DataError)
    assert "poem, author" in error.message
    assert ("--prompt-column" if "prompt_column" in options else "--text-column") in error.hint


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize("column", ["messages", "conversations", "chosen", "completion"])
@pytest.mark.parametrize(("role", "content", "user", "writer"), [
    ("role", "content", "user", "assistant"),
    ("from", "value", "human", "gpt"),
])  # fmt: skip
def test_of_turns_the_last_answer_is_the_text_and_what_it_answers_the_prompt(
    tmp_path: Path, suffix: str, column: str, role: str, content: str, user: str, writer: str
) -> None:
    said = [("system", "Be brief."), (user, "Hi."), (writer, "Hello."), (user, "A story."), (writer, "Once.")]
    turns = [{role: who, content: text} for who, text in said]
    path = write_rows(tmp_path / f"rows{suffix}", [{column: turns}, {column: [*turns, {role: user, content: "More."}]}])
    assert read(open_corpus(path))[0] == [Document("Once.", "A story.")] * 2


def test_a_prompt_in_turns_is_the_last_that_was_asked(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "?"},
        {"role": "user", "content": "Go."},
    ]
    path = write_rows(tmp_path / "rows.jsonl", [{"completion": "Once.", "prompt": turns}])
    assert read(open_corpus(path))[0] == [Document("Once.", "Go.")]


def test_generations_that_failed_are_left_out_and_counted(tmp_path: Path) -> None:
    def generation(text: str, **fields: Any) -> Generation:
        return Generation(
            id="i",
            prompt_id="p",
            sample=0,
            seed=0,
            text=text,
            prompt_token_ids=(),
            token_ids=(),
            char_ends=(),
            **fields,
        )

    path = tmp_path / "generations.jsonl"
    failed = generation("Half a", finish="failed", status="failed", error="no memory")
    write_records(path, [failed, generation("Whole.", finish="stop"), failed])
    assert read(open_corpus(path)) == ([Document("Whole.")], Counter({"failed when it was written": 2}))
    write_records(path, [failed])
    assert "failed when it was written: 1" in error_of(path).message


def test_other_people_s_status_leaves_nothing_out(tmp_path: Path) -> None:
    assert texts(write_rows(tmp_path / "rows.jsonl", [{"text": "A.", "status": "failed"}])) == ["A."]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("suffix", [".txt", ".md", "", ".TXT", ".rst", ".txt.gz"])
def test_the_paragraphs_of_a_text_file_are_its_documents(tmp_path: Path, end: str, suffix: str) -> None:
    path = tmp_path / f"novel{suffix}"
    data = "\n \n  One.\nTwo.\n\t\n\n\nThree. \n\nשמש 你好".replace("\n", end).encode()
    path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    assert texts(path) == ["One.\nTwo.", "Three.", "שמש 你好"]


@given(
    st.lists(
        st.sampled_from([" ", "\n", ". ", "! ", "word", "。", "你" * 50, "x" * 900, "  ", "was. Then"]), max_size=9
    ),
    st.integers(1, 900),
)
def test_a_long_text_is_cut_into_passages_and_nothing_is_lost(parts: list[str], times: int) -> None:
    text = "".join(parts) * times
    found = list(passages(text))
    assert "".join(found) == text
    assert all(0 < len(passage) <= LONGEST_PASSAGE_CHARS for passage in found) or not text


@pytest.mark.parametrize("unit", ["It was so, he said. ", 'He said, "No!" ', "没有人知道。", "「真的。」"])
def test_passages_end_where_sentences_do(unit: str) -> None:
    *cut, last = passages(unit * 5_000)
    assert len(cut) > 1
    assert all(len(passage) % len(unit) == 0 for passage in [*cut, last])


def test_without_sentences_passages_end_where_words_do() -> None:
    assert {word for passage in passages("word " * 9_000) for word in passage.split()} == {"word"}


def test_a_long_paragraph_is_documents_of_about_a_thousand_words(tmp_path: Path) -> None:
    path = tmp_path / "novel.txt"
    path.write_text("It was the best of times. " * 5_000)
    counts = [len(text.split()) for text in texts(path)]
    assert sum(counts) == 30_000
    assert all(500 <= count <= 2_000 for count in counts)


def test_a_data_set_of_the_hub_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from ({"id": number, "story": f"Story {number}.", "prompt": "Go."} for number in range(300))

    def load_dataset(name: str, split: str, streaming: bool) -> datasets.IterableDataset:
        assert (name, split, streaming) == ("owner/stories-v1.5", "train", True)
        return datasets.IterableDataset.from_generator(rows)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for source in ("owner/stories-v1.5", Path("owner/stories-v1.5")):
        corpus = open_corpus(source)
        assert corpus.name == "owner/stories-v1.5"
        assert read(corpus)[0] == [Document(f"Story {number}.", "Go.") for number in range(300)]
    assert "id, story, prompt" in error_of("owner/stories-v1.5", text_column="text").message


def test_a_data_set_that_cannot_be_read_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(name: str, **_: object) -> datasets.IterableDataset:
        raise ConnectionError(f"Couldn't reach {name}\nand much more")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    error = error_of("owner/name")
    assert isinstance(error, DataError)
    assert "Couldn't reach owner/name" in error.message


def test_a_data_set_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert isinstance(error_of("owner/name"), MissingPackageError)


def test_a_file_goes_before_a_data_set_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("owner").mkdir()
    Path("owner/name").write_text("Here.")
    assert texts("owner/name") == ["Here."]


def test_documents_in_memory_are_a_shard() -> None:
    held = (Document("One."), Document("Two.", "Go on."))
    assert [list(TextShard(held).documents(Counter())) for _ in range(2)] == [list(held)] * 2
