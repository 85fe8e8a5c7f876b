from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.records.prompt import Prompt, opening, writing_prompt
from planish.records.prompt_file import read_prompts, split_prompts
from planish.records.record import write_records

PROMPTS = st.lists(st.integers(0, 40).map(lambda number: opening(f"prompt {number}")), max_size=60)


@given(PROMPTS)
def test_a_split_loses_nothing_shares_nothing_and_is_always_the_same(prompts: list[Prompt]) -> None:
    distinct = {prompt.id for prompt in prompts}
    if len(distinct) < 3:
        with pytest.raises(DataError, match=str(len(distinct))) as caught:
            split_prompts(prompts)
        assert caught.value.hint
        return
    split = split_prompts(prompts)
    used, held_out = ([prompt.id for prompt in side] for side in split)
    assert set(used) | set(held_out) == distinct
    assert len(used) + len(held_out) == len(distinct)
    assert len(held_out) == len(distinct) // 3
    assert split_prompts(list(prompts)) == split


def test_a_line_is_a_prompt_and_blank_lines_are_none(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("Écris une histoire.\r\n\n  Tell a story.  \n", encoding="utf-8", newline="")
    assert [prompt.content for prompt in read_prompts(path)] == ["Écris une histoire.", "Tell a story."]
    assert read_prompts(path)[0] == writing_prompt("Écris une histoire.", "prompts.txt")
    assert read_prompts(path, opening)[1] == opening("Tell a story.", "prompts.txt")


def test_a_byte_order_mark_is_no_part_of_the_first_prompt(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("Tell a story.\n", encoding="utf-8-sig")
    assert read_prompts(path)[0].content == "Tell a story."


def test_rows_of_a_jsonl_file_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    prompts = [opening("a", "mine"), writing_prompt("b")]
    write_records(path, prompts)
    assert read_prompts(path) == prompts


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
@pytest.mark.parametrize("content", [None, "folder", "below a file", b"", b"\xff\xfe\x00 not text"], ids=str)
def test_a_file_without_prompts_is_named_with_what_to_do(tmp_path: Path, suffix: str, content: bytes | str) -> None:
    path = tmp_path / f"prompts{suffix}"
    if content == "folder":
        path.mkdir()
    elif content == "below a file":
        path.write_text("a file")
        path = path / f"prompts{suffix}"
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_prompts(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_bad_row_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"text": "a"}\n{"text": "a", "messages": []}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"prompts\.jsonl, line 2") as caught:
        read_prompts(path)
    assert caught.value.hint
