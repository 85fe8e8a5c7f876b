import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story_run import BLOCKS, Line, block, blocks

from planish.errors import DataError
from planish.runs.rows_stage import RowsStage

FILES = ("rows.jsonl", "blocks.jsonl", "done.json")
ROWS = [row for number in range(BLOCKS) for row in block(number)]


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


def write(folder: Path) -> int:
    """Finish the stage; the number of the first block that had to be made."""
    stage = RowsStage(folder, Line)
    stage.recover()
    first = len(stage.blocks)
    for rows in blocks(first):
        stage.append(rows)
    stage.close()
    assert stage.read() == ROWS
    return first


def whole(folder: Path) -> list[bytes]:
    write(folder)
    return [(folder / name).read_bytes() for name in FILES]


def resume(folder: Path, rows: bytes, journal: bytes) -> tuple[int, list[bytes]]:
    """What is made of a stage that was killed with these files."""
    folder.mkdir(exist_ok=True)
    (folder / "done.json").unlink(missing_ok=True)
    (folder / "rows.jsonl").write_bytes(rows)
    (folder / "blocks.jsonl").write_bytes(journal)
    first = write(folder)
    return first, [(folder / name).read_bytes() for name in FILES]


def block_ends() -> list[int]:
    """Where each block ends in the rows file, counted without the journal."""
    sizes = [sum(len(row.model_dump_json().encode()) + 1 for row in block(number)) for number in range(BLOCKS)]
    return [sum(sizes[: number + 1]) for number in range(BLOCKS)]


def test_rows_cut_at_any_byte_end_as_if_they_had_not_been(tmp_path: Path) -> None:
    rows, journal, done = whole(tmp_path / "whole")
    for end in range(len(rows) + 1):
        first, files = resume(tmp_path / "cut", rows[:end], journal)
        assert files == [rows, journal, done]
        assert first == sum(block_end <= end for block_end in block_ends())


def test_a_journal_cut_at_any_byte_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    rows, journal, done = whole(tmp_path / "whole")
    for end in range(len(journal) + 1):
        first, files = resume(tmp_path / "cut", rows, journal[:end])
        assert files == [rows, journal, done]
        assert first == journal[:end].count(b"\n")


@given(st.data())
def test_whatever_a_power_cut_leaves_ends_as_if_nothing_had_happened(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        rows, journal, done = whole(Path(folder) / "whole")
        left = [
            file[: data.draw(st.integers(0, len(file)))] + data.draw(st.binary(max_size=9)) for file in (rows, journal)
        ]
        _, files = resume(Path(folder) / "cut", *left)
    assert files == [rows, journal, done]


def test_failed_rows_are_counted_as_failed(tmp_path: Path) -> None:
    write(tmp_path)
    done = json.loads((tmp_path / "done.json").read_text())
    assert (done["rows"], done["failed"]) == (len(ROWS), sum(row.status == "failed" for row in ROWS))
    assert 0 < done["failed"] < done["rows"]


def test_a_stage_without_blocks_is_closed_with_no_rows(tmp_path: Path) -> None:
    stage = RowsStage(tmp_path, Line)
    stage.recover()
    stage.close()
    assert stage.is_closed
    assert stage.read() == []


@pytest.mark.parametrize("name", FILES[::2])
@pytest.mark.parametrize("change", [lambda text: text[:-9], lambda text: text.replace(b"1", b"2", 1), lambda _: b""])
def test_a_finished_stage_that_was_changed_is_refused_with_its_file(tmp_path: Path, name: str, change) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path)
    path = tmp_path / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=f"{path.parent}.* was changed after its stage was finished") as caught:
        RowsStage(tmp_path, Line).read()
    assert str(tmp_path) in caught.value.hint


def test_a_finished_stage_without_its_rows_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(DataError, match="it is not there"):
        RowsStage(tmp_path, Line).read()
