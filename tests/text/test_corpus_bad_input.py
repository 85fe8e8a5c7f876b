import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import polars
import pytest
from corpora import error_of, read, require_clear, texts
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError, PlanishError, UsageError
from planish.text.corpus import Document, open_corpus
from planish.text.corpus.json_rows import READ_CHARS
from planish.text.corpus.mending import MENDED

PROSE = "It was the best of times, it was the worst of times.\n\n"
UTF16 = ["utf-16", "utf-16-le", "utf-32"]
BINARY = [b"\x89PNG\r\n\x1a\n" + os.urandom(2000), b"PK\x03\x04" + bytes(100), os.urandom(5000)]
TEXT_SUFFIXES = [".txt", ".md", ".jsonl", ".json", ".csv", ""]


@pytest.mark.parametrize("suffix", [*TEXT_SUFFIXES, ".parquet", ".jsonl.gz", ".txt.gz"])
@pytest.mark.parametrize("data", [b"", b"\n \r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n\n"])
def test_a_file_without_anything_is_an_error(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    assert str(path) in error_of(path).message


@pytest.mark.parametrize("suffix", TEXT_SUFFIXES)
@pytest.mark.parametrize("data", [*(PROSE.encode(form) for form in UTF16), *BINARY, "Ночь, улица.".encode("cp1251")])
def test_a_file_that_is_no_utf8_text_is_an_error(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(data)
    assert "not UTF-8 text" in error_of(path).message


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl.gz", ".txt.gz"])
@pytest.mark.parametrize("data", BINARY)
def test_a_file_that_is_not_what_it_is_called_is_an_error(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(data)
    assert str(path) in error_of(path).message


def test_a_source_that_is_not_there_or_no_file_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for source in (
        tmp_path / "none.txt",
        tmp_path / "none",
        tmp_path / "round",
        tmp_path / "x" / "y",
        "none.jsonl",
        "",
    ):
        assert "there is no file" in error_of(source).message
    for source in ("owner/none.jsonl", "a\0b", "x" * 5000, "ftp://none"):
        assert "there is no file" in error_of(source).message
    assert "is no file" in error_of(tmp_path / "pipe").message


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "One."}')

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("planish.text.corpus.opened.open", refuse, raising=False)
    assert "Permission denied" in error_of(path).message


def test_lines_that_hold_no_text_are_counted_by_reason(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [
        *('{"text": "One."}', "", '{"text": "Tw', "no", "[" * 9999, '{"text": "\\ud800"}', '["a"]', "3", '{"text": 3}'),
        *(
            '{"text": ["a"]}',
            '{"text": [{"role": "user", "content": "a"}]}',
            '{"text": null}',
            '{"other": "a"}',
            '{"text": ""}',
            '{"text": " \\n"}',
            '{"text": "Two."}',
        ),
    ]
    path.write_text("\n".join(lines))
    documents, left_out = read(open_corpus(path))
    assert documents == [Document("One."), Document("Two.")]
    assert left_out == {
        "not JSON": 4,
        "not a JSON object": 2,
        "text is not a string": 2,
        "without a text": 3,
        "empty": 2,
    }


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_rows_without_a_text_are_counted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    held = ["One.", "", " ", "Two."]
    if suffix == ".parquet":
        polars.DataFrame({"text": [*held, None]}).write_parquet(path)
    elif suffix == ".json":
        path.write_text(json.dumps([{"text": text} for text in [*held, None]]))
    else:
        path.write_text("\n".join(["id,text", *(f'1,"{text}"' for text in held), "1"]))
    assert read(open_corpus(path)) == (
        [Document("One."), Document("Two.")],
        Counter({"empty": 2, "without a text": 1}),
    )


def test_rows_that_all_lack_a_text_are_an_error_with_the_reasons(tmp_path: Path) -> None:
    polars.DataFrame({"text": [1, 2, 3]}).write_parquet(tmp_path / "rows.parquet")
    assert "text is not a string: 3" in error_of(tmp_path / "rows.parquet").message
    (tmp_path / "rows.jsonl").write_text('{"text": ""}\nno\n')
    assert "empty: 1; not JSON: 1" in error_of(tmp_path / "rows.jsonl").message


@pytest.mark.parametrize("rows", [[], [1, "a", None]])
def test_an_array_or_table_without_rows_is_an_error(tmp_path: Path, rows: list[Any]) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert "no row" in error_of(tmp_path / "rows.json").message
    polars.DataFrame(schema={"text": polars.String}).write_parquet(tmp_path / "rows.parquet")
    assert "no row" in error_of(tmp_path / "rows.parquet").message
    (tmp_path / "rows.csv").write_text("id,text\n")
    assert "no row" in error_of(tmp_path / "rows.csv").message


@pytest.mark.parametrize(
    "end", ['{"text": "Tw', "", '{"text": "Two."', "]]", '] {"text": "Three."}', "[" * 9999, "nul]"]
)
def test_an_array_that_breaks_off_or_goes_on_is_an_error(tmp_path: Path, end: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"text": "One."}, ' + end)
    error = error_of(path)
    assert isinstance(error, DataError)
    assert "behind entry 1 of the array" in error.message


def test_an_array_that_goes_on_far_behind_its_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('[{"text": "One."}]' + " " * READ_CHARS + '{"text": "Two."}')
    with pytest.raises(DataError, match="it ends, but not the file"):
        read(open_corpus(tmp_path / "rows.json"))


@pytest.mark.parametrize(("suffix", "broken"), [
    *((suffix, broken) for suffix in (".txt", ".jsonl", ".csv", ".json") for broken in (b"\xff", b"\xe4\xbd")),
    # In JSON, it is written as an escape.
    *((suffix, b"\0") for suffix in (".txt", ".csv")),
])  # fmt: skip
def test_broken_bytes_are_replaced_and_counted(tmp_path: Path, suffix: str, broken: bytes) -> None:
    frames = {
        ".txt": (b"", b"\n\n" + PROSE.encode()),
        ".jsonl": (b'{"text": "', b'"}\n' + json.dumps({"text": PROSE}).encode()),
        ".json": (b'[{"text": "', b'"}, ' + json.dumps({"text": PROSE}).encode() + b"]"),
        ".csv": (b"text\n", b'\n"' + PROSE.encode() + b'"\n'),
    }
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(frames[suffix][0] + b"One " + broken + b"two" + frames[suffix][1])
    documents, left_out = read(open_corpus(path))
    assert left_out == {MENDED: 1}
    first, second = (document.text for document in documents)
    assert first.replace("\N{REPLACEMENT CHARACTER}", "") == "One two"
    assert first != "One two"
    assert second.strip() == PROSE.strip()


def test_characters_that_are_none_in_a_row_are_replaced_and_counted(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([{"text": "a\0b", "prompt": "c\ud800"}, {"text": "d\ud83d"}]))
    assert read(open_corpus(tmp_path / "rows.json")) == (
        [Document("a�b", "c�"), Document("d�")],
        Counter({MENDED: 3}),
    )
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": "a\0b"}))
    assert read(open_corpus(tmp_path / "rows.jsonl")) == ([Document("a�b")], Counter({MENDED: 1}))


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv", ".json"])
def test_a_byte_order_mark_is_not_of_the_text(tmp_path: Path, suffix: str) -> None:
    held = {".txt": "One.", ".jsonl": '{"text": "One."}', ".csv": "text\nOne.\n", ".json": '[{"text": "One."}]'}
    path = tmp_path / f"rows{suffix}"
    path.write_text(held[suffix], encoding="utf-8-sig")
    assert texts(path) == ["One."]


def test_one_line_of_50_megabytes_is_read(tmp_path: Path) -> None:
    sentence = "It was so. "
    long = sentence * (50_000_000 // len(sentence))
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": long}) + '\n{"text": "Two."}\n')
    assert texts(tmp_path / "rows.jsonl") == [long, "Two."]
    (tmp_path / "rows.json").write_text(json.dumps([{"text": long}, {"text": "Two."}]))
    assert texts(tmp_path / "rows.json") == [long, "Two."]
    (tmp_path / "rows.csv").write_text(f"text\n{long}\nTwo.\n")
    assert texts(tmp_path / "rows.csv") == [long, "Two."]
    (tmp_path / "novel.txt").write_text(long)
    assert " ".join(texts(tmp_path / "novel.txt")) == long.strip()


def test_a_row_too_long_to_be_a_document_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planish.text.corpus.json_rows.LONGEST_ROW_BYTES", 100)
    lines = [{"text": "One."}, {"text": "x" * 500}, {"text": "Two."}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for shard_bytes in (1, 50, 10_000):
        documents, left_out = read(open_corpus(tmp_path / "rows.jsonl", shard_bytes=shard_bytes))
        assert documents == [Document("One."), Document("Two.")]
        assert left_out == {"row over 64 MiB": 1}


def test_a_quotation_mark_that_is_not_closed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planish.text.corpus.csv_rows.LONGEST_ROW_BYTES", 1000)
    (tmp_path / "rows.csv").write_text('text\n"' + "One.\n" * 1000)
    assert "quotation" in error_of(tmp_path / "rows.csv").hint


def test_csv_rows_with_fields_too_many_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,prompt\nOne.,Go.,more\n\nTwo.\n")
    assert read(open_corpus(tmp_path / "rows.csv"))[0] == [Document("One.", "Go."), Document("Two.")]


@pytest.mark.parametrize("packed", ["rows.jsonl.gz", "novel.txt.gz"])
def test_a_packed_file_that_breaks_off_is_an_error_and_no_silent_loss(tmp_path: Path, packed: str) -> None:
    path = tmp_path / packed
    held = "".join(json.dumps({"text": f"{number} {os.urandom(40).hex()}"}) + "\n\n" for number in range(5000))
    path.write_bytes(gzip.compress(held.encode())[:-40_000])
    with pytest.raises(DataError, match="breaks off"):
        read(open_corpus(path))


def test_a_text_file_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text(PROSE)
    for named in ("text_column", "prompt_column"):
        error = error_of(tmp_path / "novel.txt", **{named: "text"})
        assert isinstance(error, UsageError)
        assert "no columns" in error.message


@given(st.binary(max_size=300), st.integers(0, 2000), st.sampled_from([".parquet", ".jsonl", ".json", ".csv", ".gz"]))
def test_a_damaged_file_is_read_counted_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, damage: bytes, at: int, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"rows{suffix}"
    rows = [{"text": f"Text {number}.", "prompt": "Go."} for number in range(50)]
    if suffix == ".parquet":
        polars.DataFrame(rows).write_parquet(path)
    else:
        data = json.dumps(rows).replace("}, {", "}\n{" if suffix == ".jsonl" else "}, {").encode()
        path.write_bytes(gzip.compress(data) if suffix == ".gz" else data)
    whole = path.read_bytes()
    at %= len(whole)
    path.write_bytes(whole[:at] + damage + whole[at + len(damage) :])
    try:
        read(open_corpus(path))
    except PlanishError as error:
        require_clear(error)


def test_columns_of_any_name_and_number_are_listed_in_one_line(tmp_path: Path) -> None:
    rows = {f"column\n{number}": ["a"] for number in range(3000)}
    polars.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    message = error_of(tmp_path / "rows.parquet").message
    assert "column 0, column 1" in message
    assert len(message) < 1000
