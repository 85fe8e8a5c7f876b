import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.records.ban_export import export_rules
from planish.records.ban_formats import Format
from planish.records.ban_import import import_rules
from planish.records.rule import BanRule

WORDS = st.from_regex(r"[a-z]{2,5} [a-z]{3,5}", fullmatch=True).map(lambda words: f"x{words}")
RULES = st.lists(
    st.builds(BanRule, text=WORDS, kind=st.sampled_from(["phrase", "ngram", "regex"]))
    | st.builds(BanRule, text=WORDS, strength=st.sampled_from([0.5, 1.0]), whole_words=st.booleans())
    | st.builds(BanRule, text=WORDS, inflections=st.booleans(), case_sensitive=st.booleans()),
    max_size=6,
    unique_by=lambda rule: rule.text,
)
SUFFIX = {"planish": ".jsonl", "text": ".txt", "koboldcpp": ".json", "tabbyapi": ".json", "antislop": ""}


def written(tmp_path: Path, name: str, data: Any) -> Path:
    (tmp_path / name).write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return tmp_path / name


def anywhere(*texts: str) -> list[BanRule]:
    return [BanRule(text=text, whole_words=False) for text in texts]


@given(RULES, st.sampled_from(get_args(Format)))
def test_every_rule_is_either_written_and_read_again_or_left_out_with_a_reason(
    rules: list[BanRule], to: Format
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"bans{SUFFIX[to]}"
        left_out = export_rules(path, rules, to)
        again, not_read = import_rules(path)
    assert not not_read
    assert all(rule.reason for rule in left_out)
    assert sorted([rule.text for rule in again] + [rule.text for rule in left_out]) == sorted(r.text for r in rules)
    inside_words = to in ("koboldcpp", "tabbyapi")
    for rule in rules:
        if rule.text not in {left.text for left in left_out}:
            assert (anywhere(rule.text)[0] if inside_words else rule) in again
            assert to == "planish" or set(rule.options) <= ({"whole_words"} if inside_words else set())


@given(RULES)
def test_planish_keeps_every_rule(rules: list[BanRule]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bans.jsonl"
        assert export_rules(path, rules, "planish") == []
        assert import_rules(path) == (rules, [])


@pytest.mark.parametrize("key", ["banned_tokens", "banned_strings"])
def test_a_request_is_read_wherever_its_strings_are(tmp_path: Path, key: str) -> None:
    path = written(tmp_path, "request.json", {"prompt": "x", "temperature": 1, key: [" a reminder", "shiver"]})
    assert import_rules(path) == (anywhere(" a reminder", "shiver"), [])


def test_a_plain_list_and_a_single_string_are_phrases(tmp_path: Path) -> None:
    assert import_rules(written(tmp_path, "a.json", ["shiver down", "b c"])).rules == anywhere("shiver down", "b c")
    assert import_rules(written(tmp_path, "b.json", {"banned_strings": "shiver"})).rules == anywhere("shiver")


def test_token_ids_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    rules, left_out = import_rules(written(tmp_path, "a.json", {"banned_tokens": [128, "shiver", 330]}))
    assert rules == anywhere("shiver")
    assert [rule.text for rule in left_out] == ["128", "330"]


@pytest.mark.parametrize("as_preset", [False, True])
def test_quoted_lines_are_phrases_and_the_others_are_named(tmp_path: Path, as_preset: bool) -> None:
    lines = 'Use with koboldcpp!\n\n" a reminder"\n"she "said" so"\n[1, 2]\n", if you will,"\n'
    path = (
        written(tmp_path, "preset.json", {"banned_tokens": lines}) if as_preset else written(tmp_path, "b.txt", lines)
    )
    rules, left_out = import_rules(path)
    assert rules == anywhere(" a reminder", 'she "said" so', ", if you will,")
    assert [rule.text for rule in left_out] == ["Use with koboldcpp!", "[1, 2]"]
    assert all("token ids" in rule.reason for rule in left_out)


def test_quoted_lines_are_written_for_a_text_file(tmp_path: Path) -> None:
    left_out = export_rules(tmp_path / "b.txt", [*anywhere(" a", "b"), *anywhere("two\nlines")], "koboldcpp")
    assert (tmp_path / "b.txt").read_text(encoding="utf-8") == '" a"\n"b"\n'
    assert [rule.text for rule in left_out] == ["two\nlines"]


def test_a_folder_of_auto_antislop_is_read_whole(tmp_path: Path) -> None:
    written(tmp_path, "banned_slop_phrases.json", [["a testament to", 1], ["tapestry", 0.03]])
    written(tmp_path, "banned_ngrams.json", [["heart", "pounding"], "deep breath"])
    written(tmp_path, "user_defined_regex_blocklist.json", [r"not \w+, but"])
    assert import_rules(tmp_path).rules == [
        BanRule(text="a testament to"),
        BanRule(text="tapestry"),
        BanRule(text="heart pounding", kind="ngram"),
        BanRule(text="deep breath", kind="ngram"),
        BanRule(text=r"not \w+, but", kind="regex"),
    ]


def test_what_cannot_be_matched_is_named_with_its_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    patterns = [r"not(?= just)", r"(\w+) \1", "fine"]
    rules, left_out = import_rules(written(tmp_path, "user_defined_regex_blocklist.json", patterns))
    assert rules == [BanRule(text="fine", kind="regex")]
    assert [rule.text for rule in left_out] == patterns[:2]
    assert all("RE2" in rule.reason for rule in left_out)
    rules, left_out = import_rules(written(tmp_path, "banned_ngrams.json", [["of", "the"], ["deep", "breath"]]))
    assert [rule.text for rule in rules] == ["deep breath"]
    assert "content word" in left_out[0].reason


def test_planish_files_are_read_by_their_content_too(tmp_path: Path) -> None:
    row = BanRule(text="lily", strength=0.5)
    for name, content in (("a.json", row.model_dump_json()), ("b.json", f"{row.model_dump_json()}\n" * 2)):
        assert set(import_rules(written(tmp_path, name, content)).rules) == {row}
    assert import_rules(written(tmp_path, "c.txt", 'she "said"\n[sigh]\nre: a+\n')).rules == [
        BanRule(text='she "said"'),
        BanRule(text="[sigh]"),
        BanRule(text="a+", kind="regex"),
    ]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('["a", 5]', "entry 2"),
        ('["a", ""]', "entry 2 is empty"),
        ('[["a", 1], {"b": 1}]', "entry 2"),
        ('[["a", null]]', "entry 1"),
        ("[[]]", "entry 1"),
        ('{"temperature": 1}', "banned_tokens"),
        ('{"banned_strings": 5}', "banned_strings"),
        ('["a"\n"b"]', "line 2"),
        ('"a"', "line 1"),
    ],
)
def test_what_is_no_rule_is_named(tmp_path: Path, content: str, named: str) -> None:
    with pytest.raises(DataError, match=named) as caught:
        import_rules(written(tmp_path, "list.json", content))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["nothing.json", "nothing.txt", "nothing.jsonl"])
def test_a_missing_file_and_an_empty_folder_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="there is no file"):
        import_rules(tmp_path / name)
    with pytest.raises(DataError, match=r"banned_ngrams\.json"):
        import_rules(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        export_rules(tmp_path / "no" / "such" / "bans.json", [], "koboldcpp")
