import json
from pathlib import Path

import pytest
from in_process import Planish

RULES = '{"text": "shiver"}\n{"text": "a+", "kind": "regex"}\n{"text": "lily", "strength": 0.5}\n'


def test_a_list_is_converted_and_what_is_left_out_is_counted_and_named(planish: Planish) -> None:
    Path("bans.jsonl").write_text(RULES, encoding="utf-8")
    ended = planish("bans", "convert", "bans.jsonl", "bans.json", "--to", "koboldcpp")
    assert ended.code == 0
    assert json.loads(Path("bans.json").read_text(encoding="utf-8")) == {"banned_tokens": ["shiver"]}
    (line,) = ended.out.splitlines()
    assert line.startswith("1 rule written to bans.json, 2 left out: ")
    assert "phrases only" in line
    assert "strengths" in line
    assert "'a+'" in ended.err
    assert "'lily'" in ended.err


@pytest.mark.parametrize(
    ("name", "content"),
    [("bans.jsonl", '"text":"shiver"'), ("bans.txt", "shiver\nre: a+\n")],
)
def test_the_target_says_its_format(planish: Planish, name: str, content: str) -> None:
    Path("source.txt").write_text("shiver\nre: a+\n", encoding="utf-8")
    ended = planish("bans", "convert", "source.txt", name)
    assert (ended.code, ended.out) == (0, f"2 rules written to {name}\n")
    assert content in Path(name).read_text(encoding="utf-8")


def test_a_target_that_does_not_say_its_format_needs_it_said(planish: Planish) -> None:
    Path("source.txt").write_text("shiver\n", encoding="utf-8")
    assert "--to planish|text" in planish.fails(2, "bans", "convert", "source.txt", "bans.json")
    assert not Path("bans.json").exists()


def test_nothing_is_overwritten_unless_forced(planish: Planish) -> None:
    Path("source.txt").write_text("shiver\n", encoding="utf-8")
    Path("bans.txt").write_text("kept\n", encoding="utf-8")
    assert "--force" in planish.fails(2, "bans", "convert", "source.txt", "bans.txt")
    assert Path("bans.txt").read_text(encoding="utf-8") == "kept\n"
    assert planish("bans", "convert", "source.txt", "bans.txt", "--force").code == 0
    assert Path("bans.txt").read_text(encoding="utf-8") == "shiver\n"


def test_a_list_that_is_off_is_one_line(planish: Planish) -> None:
    Path("source.json").write_text('["a", 5]', encoding="utf-8")
    assert "entry 2" in planish.fails(1, "bans", "convert", "source.json", "bans.jsonl")
    planish.fails(1, "bans", "convert", "nothing.txt", "bans.jsonl")


def test_a_folder_is_written_and_read(planish: Planish) -> None:
    Path("bans.jsonl").write_text(RULES, encoding="utf-8")
    assert planish("bans", "convert", "bans.jsonl", "folder", "--to", "antislop").code == 0
    ended = planish("bans", "convert", "folder", "again.txt")
    assert (ended.code, Path("again.txt").read_text(encoding="utf-8")) == (0, "shiver\nre: a+\n")
