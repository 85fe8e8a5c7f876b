from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.records.text_file import numbered_lines

# Separators at which `str.splitlines` cuts, but which do not end a line of a file.
SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c"
LINE = st.text(
    st.characters(exclude_characters="\n\r\0\ufeff", exclude_categories=["Cs"]) | st.sampled_from(SEPARATORS)
)


@given(st.lists(LINE, max_size=5), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8", "utf-8-sig"]))
def test_lines_come_back_whatever_ends_them(lines: list[str], end: str, encoding: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lines.txt"
        path.write_text("".join(line + end for line in lines), encoding=encoding, newline="")
        assert list(numbered_lines(path)) == list(enumerate(lines, start=1))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"])
def test_what_is_not_utf_8_is_named_with_its_line(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(b"one\ntwo\n" + "café\n".encode(encoding))
    with pytest.raises(DataError, match=r"lines\.txt, line 3 .*UTF-8") as caught:
        list(numbered_lines(path))
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_surrogate_that_somebody_encoded_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes("\ud800".encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match="line 1 "):
        list(numbered_lines(path))


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in [
        (tmp_path, "is a folder"),
        (tmp_path / "missing", "there is no file"),
        (tmp_path / "file" / "below", "there is no file"),
        (tmp_path / ("long" * 100), "cannot be read"),
    ]:
        with pytest.raises(DataError, match=reason) as caught:
            list(numbered_lines(path))
        assert str(path) in caught.value.message
        assert caught.value.hint
