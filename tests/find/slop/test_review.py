from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError, UsageError
from planish.find.slop.review import Answer, Review
from planish.records.ban_file import read_rules, write_rules
from planish.records.rule import BanRule

RULES = [BanRule(text="delve", reason="often"), BanRule(text="tapestry"), BanRule(text="a+", kind="regex")]


def listed(folder: Path, rules: list[BanRule] = RULES) -> Path:
    path = folder / "bans.jsonl"
    write_rules(path, rules)
    return path


ANSWERS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["keep", "drop", "soften"]), st.sampled_from([0.25, 0.5, 1.0])),
    max_size=8,
)


@given(ANSWERS)
def test_the_list_is_always_what_was_answered_last(
    tmp_path_factory: pytest.TempPathFactory, answers: list[tuple[int, Answer, float]]
) -> None:
    path = listed(tmp_path_factory.mktemp("list"))
    last: dict[int, tuple[Answer, float]] = {}
    for place, answer, strength in answers:
        review = Review(path)  # as after a kill
        review.answer(place, answer, strength if answer == "soften" else None)
        last[place] = answer, strength
        answered = [(rule, *last.get(number, ("keep", 1.0))) for number, rule in enumerate(RULES)]
        expected = [
            rule.model_copy(update={"strength": strength}) if answer == "soften" else rule
            for rule, answer, strength in answered
            if answer != "drop"
        ]
        assert read_rules(path) == expected
    again = Review(path)
    assert [entry.rule for entry in again.entries] == RULES
    assert again.first_open() == next((place for place in range(3) if place not in last), None)
    assert again.counts()["open"] == 3 - len(last)


def test_a_kill_between_the_two_files_loses_no_answer(tmp_path: Path) -> None:
    path = listed(tmp_path)
    Review(path).answer(0, "keep")
    log = path.with_suffix(".review.jsonl")
    before = log.read_bytes()
    Review(path).answer(1, "drop")
    log.write_bytes(before)
    again = Review(path)
    assert (again.entries[0].answer, again.entries[1].answer, again.first_open()) == ("keep", "drop", 2)


def test_what_is_done_to_the_list_by_hand_stands(tmp_path: Path) -> None:
    path = listed(tmp_path)
    review = Review(path)
    review.answer(0, "drop")
    review.answer(1, "keep")
    write_rules(path, [RULES[1].model_copy(update={"strength": 0.1}), RULES[0], BanRule(text="new")])
    again = Review(path)
    assert [(entry.rule.text, entry.rule.strength, entry.answer) for entry in again.entries] == [
        *(("delve", 1.0, None), ("tapestry", 0.1, None), ("a+", 1.0, "drop"), ("new", 1.0, None)),
    ]


def test_of_two_rules_that_are_alike_each_has_its_own_answer(tmp_path: Path) -> None:
    path = listed(tmp_path, [RULES[0], RULES[0]])
    Review(path).answer(0, "drop")
    assert read_rules(path) == [RULES[0]]
    assert [entry.answer for entry in Review(path).entries] == ["drop", None]


@pytest.mark.parametrize("strength", [None, 0.0, -1.0, 1.5, float("nan")])
def test_no_rule_is_softened_to_what_is_no_strength(tmp_path: Path, strength: float | None) -> None:
    path = listed(tmp_path)
    with pytest.raises(UsageError, match="strength"):
        Review(path).answer(0, "soften", strength)
    assert read_rules(path) == RULES


def test_a_list_that_holds_no_reasons_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bans.txt").write_text("delve\n", encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        Review(tmp_path / "bans.txt")
    assert "bans convert" in refused.value.hint
    with pytest.raises(DataError, match="nowhere"):
        Review(tmp_path / "nowhere.jsonl")
