from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.records.ban_file import read_rules, write_rules
from planish.records.rule import BanRule, Overuse

KIND = st.sampled_from(["phrase", "ngram", "regex"])
RULE = st.builds(BanRule, text=st.text(max_size=8), kind=KIND, reason=st.text(max_size=4))
OVERUSE = Overuse(count=9, texts=5, rate_per_1k_words=2.5, human_rate_per_1k_words=0.1, log_odds=3.2, z=6.1, q=0.001)
# As likely as not to look like something else in a line.
AWKWARD = st.builds(
    BanRule,
    text=st.builds("".join, st.lists(st.sampled_from(["re:", "ng:", "#", " ", "a", "\u2028", "\n"]))),
    kind=KIND,
)


@given(st.lists(RULE | AWKWARD, max_size=4))
@example([BanRule(text="lily", overuse=OVERUSE)])
def test_jsonl_keeps_everything(rules: list[BanRule]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bans.jsonl"
        write_rules(path, rules)
        assert read_rules(path) == rules


@given(st.lists(RULE | AWKWARD, max_size=4))
def test_plain_text_keeps_kinds_and_texts_or_refuses(rules: list[BanRule]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bans.txt"
        try:
            write_rules(path, rules)
        except DataError:
            assert not path.exists()
            return
        assert read_rules(path) == [BanRule(text=rule.text, kind=rule.kind) for rule in rules]


@given(st.lists(st.builds(BanRule, text=st.from_regex(r"\w+( \w+)?", fullmatch=True), kind=KIND), max_size=4))
def test_words_of_every_kind_can_be_plain_text(rules: list[BanRule]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bans.txt"
        write_rules(path, rules)
        assert read_rules(path) == rules


def test_a_line_of_plain_text_says_of_which_kind_it_is(tmp_path: Path) -> None:
    path = tmp_path / "bans.txt"
    path.write_text(
        "# tics\n\nmeasured pace\n  # more\nre: not (just|only) \\w+\nng:voice barely whisper\n   \nre\nwords: re:\n",
        encoding="utf-8",
        newline="\r\n",
    )
    assert read_rules(path) == [
        BanRule(text="measured pace"),
        BanRule(text=r"not (just|only) \w+", kind="regex"),
        BanRule(text="voice barely whisper", kind="ngram"),
        BanRule(text="re"),
        BanRule(text="words: re:"),
    ]


@pytest.mark.parametrize("text", ["", " lily", "# lily", "re: lily", "two\nlines", "two\rlines"])
def test_a_phrase_that_no_line_can_say_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError) as caught:
        write_rules(tmp_path / "bans.txt", [BanRule(text=text)])
    assert repr(text) in caught.value.message
    assert "jsonl" in caught.value.hint


@pytest.mark.parametrize("line", ["re:", "ng:  "])
def test_a_rule_without_a_text_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bans.txt"
    path.write_text(f"lily\n# comment\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"bans\.txt, line 3") as caught:
        read_rules(path)
    assert caught.value.hint


def test_a_row_that_is_no_rule_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bans.jsonl"
    path.write_text('{"text": "lily"}\n{"text": "luna", "kind": "colour"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"bans\.jsonl, line 2: kind"):
        read_rules(path)


@pytest.mark.parametrize("name", ["bans.txt", "bans.jsonl"])
def test_a_missing_list_is_named_and_an_empty_one_has_no_rules(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_rules(tmp_path / name)
    (tmp_path / name).touch()
    assert read_rules(tmp_path / name) == []
