import hashlib
from pathlib import Path

import pytest

from planish.runs.disk import PARTIAL, digest_of, digest_of_file, make_folder, replace_text


def test_what_a_kill_left_of_a_file_is_no_part_of_the_next(tmp_path: Path) -> None:
    (tmp_path / ("report.txt" + PARTIAL)).write_text("half a rep")
    replace_text(tmp_path / "report.txt", "report")
    assert (tmp_path / "report.txt").read_text() == "report"
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


def test_a_file_that_cannot_be_written_whole_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError

    replace_text(tmp_path / "report.txt", "before")
    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError):  # noqa: PT011 - any will do
        replace_text(tmp_path / "report.txt", "after")
    assert (tmp_path / "report.txt").read_text() == "before"


def test_parents_are_made_too(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
        assert (tmp_path / "a" / "b").is_dir()


def test_a_file_and_its_bytes_have_one_hash(tmp_path: Path) -> None:
    data = b"lily" * 100_000
    (tmp_path / "file").write_bytes(data)
    assert digest_of_file(tmp_path / "file") == digest_of(data) == hashlib.blake2b(data, digest_size=16).hexdigest()
