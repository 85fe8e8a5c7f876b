import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import polars
import pytest
from corpora import read
from hypothesis import given
from hypothesis import strategies as st

from planish.text.corpus import Document, open_corpus, paragraphs
from planish.text.corpus.opened import is_text

WHOLE = 1 << 40
SHARD_BYTES = st.integers(1, 200)
# What a text file may be made of, where the breaks between paragraphs are anything but clear.
PIECES = st.sampled_from([
    *("\n", "\r\n", "\r", " ", "\n\n", "\r\n\r\n", "\n \t\n", "\n\f\n", "\n\x85\n", "\n\u2028\n"),
    *("a", "Word. ", "é", "你好。", "🙂", "\ufeff", "\0"),
])  # fmt: skip
ENDS = st.sampled_from([b"", b"\xff", b"\xe4\xbd"])
TEXT_FILE = st.builds(
    lambda parts, end: ("First. " + "".join(parts)).encode() + end, st.lists(PIECES, max_size=60), ENDS
)
JSON_LINE = st.one_of(
    st.builds(
        lambda text: json.dumps({"text": text}, ensure_ascii=False), st.text(max_size=20).filter(str.isprintable)
    ),
    st.sampled_from(
        ["", " ", "{", "3", '{"text": 1}', '{"text": "\\ud800"}', '{"other": "a"}', "\ufeff" + '{"text": "b"}']
    ),
)


def is_split_alike(path: Path, shard_bytes: int) -> None:
    """The documents and what is left out are the same for any shards, and there is more than one shard."""
    one, many = open_corpus(path, shard_bytes=WHOLE), open_corpus(path, shard_bytes=shard_bytes)
    assert len(one.shards) == 1
    assert len(many.shards) > 1 or path.stat().st_size <= shard_bytes
    assert read(many) == read(one)


@given(TEXT_FILE.filter(is_text), SHARD_BYTES)
def test_paragraphs_do_not_depend_on_the_shards(data: bytes, shard_bytes: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "novel.txt"
        path.write_bytes(data)
        is_split_alike(path, shard_bytes)


@given(st.lists(JSON_LINE, max_size=12), st.sampled_from(["\n", "\r\n"]), SHARD_BYTES)
def test_json_lines_do_not_depend_on_the_shards(lines: list[str], end: str, shard_bytes: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(end.join(['{"text": "first"}', *lines]).encode())
        is_split_alike(path, shard_bytes)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=30),
    st.integers(100, 3000),
    st.integers(1, 9),
)
def test_parquet_rows_do_not_depend_on_the_shards(held: list[str], shard_bytes: int, group_rows: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        rows = [{"text": text, "prompt": f"prompt {number}"} for number, text in enumerate(["first", *held])]
        polars.DataFrame(rows).write_parquet(path, row_group_size=group_rows)
        one, many = open_corpus(path, shard_bytes=WHOLE), open_corpus(path, shard_bytes=shard_bytes)
        assert read(many) == read(one)
        assert [document.prompt for document in read(many)[0]] == [
            row["prompt"] for row in rows if row["text"].strip("\ufeff").strip()
        ]


def test_a_parquet_file_falls_into_shards(tmp_path: Path) -> None:
    polars.DataFrame({"text": [f"Text {number}." for number in range(1000)]}).write_parquet(tmp_path / "rows.parquet")
    assert len(open_corpus(tmp_path / "rows.parquet", shard_bytes=100).shards) > 10


@given(
    st.lists(st.tuples(st.sampled_from(["txt", "jsonl", "md", "bin"]), st.text("ab \n", max_size=9)), max_size=9),
    st.integers(1, 20_000),
)
def test_a_folder_does_not_depend_on_the_shards(files: list[tuple[str, str]], shard_bytes: int) -> None:
    with TemporaryDirectory() as folder:
        for number, (suffix, text) in enumerate([("txt", "first"), *files]):
            held = json.dumps({"text": text}) if suffix == "jsonl" else text
            (Path(folder) / f"{number}.{suffix}").write_text(held)
        one, many = (open_corpus(folder, shard_bytes=size) for size in (WHOLE, shard_bytes))
        assert read(many) == read(one)


@pytest.mark.parametrize("unit", ["word", "word ", "It was. ", "line\n", "你好", "🙂"])
@given(shard_pieces=st.integers(1, 4), times=st.integers(1, 300), lead=st.integers(0, 70))
def test_of_a_paragraph_longer_than_what_is_held_nothing_is_lost(
    unit: str, shard_pieces: int, times: int, lead: int
) -> None:
    piece_bytes = 64
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(paragraphs, "PIECE_BYTES", piece_bytes)
        path = Path(folder) / "novel.txt"
        text = "a" * lead + " " + unit * times + "\n\nThe end."
        path.write_text(text)
        documents, left_out = read(open_corpus(path, shard_bytes=shard_pieces * piece_bytes))
        assert not left_out
        assert "".join("".join(document.text for document in documents).split()) == "".join(text.split())
        assert documents[-1] == Document("The end.") or times * len(unit) > piece_bytes - 9
        assert documents == read(open_corpus(path, shard_bytes=piece_bytes))[0]


def test_a_paragraph_is_whole_wherever_a_shard_ends(tmp_path: Path) -> None:
    path = tmp_path / "novel.txt"
    held = [f"Paragraph {number}, line 1.\nLine 2." for number in range(50)]
    path.write_text("\n\n".join(held))
    for shard_bytes in range(1, path.stat().st_size + 1, 7):
        assert [document.text for document in read(open_corpus(path, shard_bytes=shard_bytes))[0]] == held


def test_a_shard_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "One."}\nno\n{"text": "Two."}\n')
    shard, *_ = open_corpus(path).shards
    counts: list[Counter[str]] = [Counter(), Counter()]
    first, again = ([*shard.documents(count)] for count in counts)
    assert first == again == [Document("One."), Document("Two.")]
    assert counts == [Counter({"not JSON": 1})] * 2
