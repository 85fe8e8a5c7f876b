import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import polars
import pytest
from corpora import error_of, read, texts

from planish.text.corpus import Document, folder, open_corpus
from planish.text.corpus.mending import MENDED


def write(path: Path, held: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(held)


def test_each_text_file_is_a_document_and_other_files_are_rows(tmp_path: Path) -> None:
    write(tmp_path / "stories/b.md", "# B\n\nOne.\n\nTwo.\n")
    write(tmp_path / "stories/a/a.txt", "It was so. " * 5_000)
    write(tmp_path / "stories/c.jsonl", '{"text": "C1."}\n{"output": "no"}\n{"text": "C2.", "prompt": "Go."}\n')
    write(tmp_path / "stories/d.csv", "story,question\nD.,Why?\n")
    polars.DataFrame({"answer": ["E."]}).write_parquet(tmp_path / "stories/e.parquet")
    (tmp_path / "stories/f.txt.gz").write_bytes(gzip.compress(b"F."))
    for source in (tmp_path / "stories", f"{tmp_path}/stories/"):
        corpus = open_corpus(source)
        assert corpus.name == "stories"
        assert read(corpus) == (
            [
                *(Document("# B\n\nOne.\n\nTwo."), Document("C1."), Document("C2.", "Go."), Document("D.", "Why?")),
                *(Document("E."), Document("F."), Document(("It was so. " * 5_000).strip())),
            ],
            Counter({"without a text": 1}),
        )


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a", "é", "B", "10", "9"):
        write(tmp_path / f"{name}.txt", name)
    assert texts(tmp_path) == ["10", "9", "B", "a", "b", "é"]


def test_what_is_not_read_is_counted_by_reason(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "One.")
    for name in (".hidden.txt", ".git/config.txt", "photo.png", "LICENSE", "deep/er/paper.pdf"):
        write(tmp_path / name, "Not this.")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "utf16.txt").write_text("One.", encoding="utf-16")
    (tmp_path / "broken.txt").write_bytes(b"One long enough text with a \xff in it.")
    write(tmp_path / "settings.json", '{\n  "a": 1\n}\n')
    write(tmp_path / "numbers.csv", "a,b\n1,2\n")
    write(tmp_path / "damaged.parquet", "PAR1")
    (tmp_path / "none.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "round.txt").symlink_to(tmp_path / "round.txt")
    (tmp_path / "linked").symlink_to(tmp_path / "deep")
    os.mkfifo(tmp_path / "pipe.txt")
    documents, left_out = read(open_corpus(tmp_path))
    assert [document.text for document in documents] == ["One.", "One long enough text with a � in it."]
    assert left_out == {
        folder.HIDDEN: 2,
        folder.UNKNOWN_FORM: 3,
        "empty": 1,
        folder.NOT_UTF8: 1,
        MENDED: 1,
        folder.UNREADABLE: 5,
        folder.LINKED_FOLDER: 1,
        folder.NOT_A_FILE: 1,
    }


def test_links_that_lead_in_a_circle_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "a/one.txt", "One.")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    documents, left_out = read(open_corpus(tmp_path))
    assert documents == [Document("One.")]
    assert left_out == {folder.LINKED_FOLDER: 1, folder.UNREADABLE: 1}


def test_a_linked_file_is_read(tmp_path: Path) -> None:
    write(tmp_path / "blobs/0123", "One.")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot/one.txt").symlink_to(tmp_path / "blobs/0123")
    assert texts(tmp_path / "snapshot") == ["One."]


def test_what_may_not_be_read_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.txt", "One.")
    write(tmp_path / "b.txt", "Two.")
    write(tmp_path / "c/c.txt", "Three.")
    corpus = open_corpus(tmp_path)
    listed, opened = os.listdir, open

    def refuse_file(path: str, mode: Any) -> object:
        if path.endswith("a.txt"):
            raise PermissionError(13, "Permission denied")
        return opened(path, mode)

    def refuse_folder(path: str) -> list[str]:
        if path.endswith("c"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr("planish.text.corpus.opened.open", refuse_file, raising=False)
    assert read(corpus) == ([Document("Two."), Document("Three.")], Counter({folder.UNREADABLE: 1}))
    monkeypatch.setattr(os, "listdir", refuse_folder)
    left_out = Counter({folder.UNREADABLE: 1, folder.UNREADABLE_FOLDER: 1})
    assert read(open_corpus(tmp_path)) == ([Document("Two.")], left_out)


@pytest.mark.parametrize("names", [[], ["photo.png", "b.bin"], ["empty.txt"], ["rows.jsonl"]])
def test_a_folder_without_any_text_is_an_error(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert str(tmp_path) in error_of(tmp_path).message


def test_a_named_column_goes_for_every_file_that_has_columns(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", '{"text": "no", "poem": "A."}')
    write(tmp_path / "b.jsonl", '{"text": "no"}')
    write(tmp_path / "c.txt", "C.")
    documents, left_out = read(open_corpus(tmp_path, text_column="poem"))
    assert [document.text for document in documents] == ["A.", "C."]
    assert left_out == {folder.UNREADABLE: 1}


def test_a_text_file_too_long_for_a_document_is_read_by_the_paragraph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "LONGEST_DOCUMENT_BYTES", 20)
    write(tmp_path / "long.txt", "One.\n\n" * 10)
    write(tmp_path / "short.txt", "One.\n\nTwo.")
    assert texts(tmp_path) == ["One."] * 10 + ["One.\n\nTwo."]


def test_of_20_000_tiny_files_each_is_read_once(tmp_path: Path) -> None:
    held = [f"Text {number:05}." for number in range(20_000)]
    for number, text in enumerate(held):
        with open(tmp_path / f"{number:05}.txt", "w") as file:
            file.write(text)
    corpus = open_corpus(tmp_path)
    assert len(corpus.shards) > 1
    assert [document.text for document in read(corpus)[0]] == held


def test_tiny_files_of_rows_share_shards(tmp_path: Path) -> None:
    for number in range(200):
        write(tmp_path / f"{number:03}.jsonl", json.dumps({"text": f"Text {number}."}))
    corpus = open_corpus(tmp_path)
    assert len(corpus.shards) == 1
    assert [document.text for document in read(corpus)[0]] == [f"Text {number}." for number in range(200)]


def test_a_packed_text_that_is_far_too_long_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LONGEST_DOCUMENT_BYTES", 1000)
    write(tmp_path / "a.txt", "One.")
    (tmp_path / "bomb.txt.gz").write_bytes(gzip.compress(b"Two. " * 10_000))
    assert read(open_corpus(tmp_path)) == ([Document("One.")], Counter({folder.TOO_LONG: 1}))
