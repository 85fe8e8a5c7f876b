import json
from pathlib import Path
from typing import Any

import pytest

from planish.errors import DataError
from planish.records.ftpo_file import FtpoRow, ftpo_lines, write_ftpo_rows

WHOLE = {"context_with_chat_template": "She", "rejected_decoded": " sighed", "multi_chosen_decoded": [" ran", " sat"]}


def row_of(**fields: Any) -> FtpoRow:
    return FtpoRow.model_validate(WHOLE | fields)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = [
        row_of(chosen_decoded=" sat", validator={"class": "slop_phrase", "rule": "sighed"}),
        row_of(context_with_chat_template="Zoë\u2028\x85\n", generation_raw=""),
    ]
    assert write_ftpo_rows(tmp_path / "rows.jsonl", rows) == 2
    assert [line.row for line in ftpo_lines(tmp_path / "rows.jsonl")] == rows


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "no JSON object"),
        (b"[1]", "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"[" * 5000, "no JSON object"),
        (json.dumps(WHOLE | {"rejected_decoded": "\ud83d"}).encode(), "no JSON object"),
        (b'{"rejected_decoded": "a"}', "context_with_chat_template"),
        (json.dumps(WHOLE | {"rejected_decoded": ""}).encode(), "rejected_decoded"),
        (json.dumps(WHOLE | {"multi_chosen_decoded": 7}).encode(), "multi_chosen_decoded"),
    ],
)
def test_a_broken_line_is_named_and_the_others_are_read(tmp_path: Path, line: bytes, reason: str) -> None:
    whole = json.dumps(WHOLE).encode()
    (tmp_path / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + whole + b"\r\n\n" + line + b"\n" + whole)
    first, broken, last = ftpo_lines(tmp_path / "rows.jsonl")
    assert first.row == last.row == row_of()
    assert (first.number, broken.number, last.number) == (1, 3, 4)
    assert broken.row is None
    assert broken.reason.startswith(reason)


def test_fields_that_nobody_here_knows_are_passed_over() -> None:
    assert row_of(duration={}, source="x") == row_of()


@pytest.mark.parametrize("field", ["prompt_raw", "generation_raw", "chosen_raw", "multi_chosen_raw", "stats"])
@pytest.mark.parametrize("odd", [7, [{"role": "user"}], None, "x"])
def test_a_field_that_is_not_needed_may_be_odd(field: str, odd: Any) -> None:
    row = row_of(**{field: odd})
    assert row.model_copy(update={field: None}) == row_of()


@pytest.mark.parametrize(
    ("validator", "rule"),
    [
        ({"class": "slop_phrase", "rule": "a sigh"}, "a sigh"),
        ({"class": "ngram", "rule": ["heart", "pounding"]}, "heart pounding"),
        ({"class": "regex"}, "regex"),
        ({"class": "regex", "rule": ""}, "regex"),
        ({}, " sighed"),
        (None, " sighed"),
        ("odd", " sighed"),
    ],
)
def test_the_rule_is_the_validators_where_it_has_one(validator: Any, rule: str) -> None:
    assert row_of(validator=validator).rule == rule


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({}, (" ran", " sat")),
        ({"chosen_decoded": " sat"}, (" ran", " sat")),
        ({"chosen_decoded": " fell"}, (" ran", " sat", " fell")),
        ({"chosen_decoded": " fell", "multi_chosen_decoded": None}, (" fell",)),
        ({"multi_chosen_decoded": [" a", " a"]}, (" a",)),
        ({"multi_chosen_decoded": None}, ()),
    ],
)
def test_every_chosen_text_counts_once(fields: dict[str, Any], chosen: tuple[str, ...]) -> None:
    assert row_of(**fields).chosen == chosen


@pytest.mark.parametrize(("written", "prompt"), [(None, None), ("", "She"), ("he", "S"), ("other", None)])
def test_the_prompt_is_what_stands_before_what_was_written(written: str | None, prompt: str | None) -> None:
    assert row_of(generation_raw=written).prompt_text == prompt


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(DataError, match=path.name):
            list(ftpo_lines(path))
        with pytest.raises(DataError, match=path.name):
            write_ftpo_rows(path / "x" / "y", [])
