import pytest
from evidence_lines import line, lines
from hypothesis import given
from hypothesis import strategies as st

from planish.prove.wording import got_worse, headline, number, verdict_sentence


@given(st.floats(-1e7, 1e7))
def test_a_number_is_within_half_a_percent_or_two_digits_of_its_value(value: float) -> None:
    said = float(number(value).replace(",", ""))
    assert said == pytest.approx(value, rel=0.006 if abs(value) >= 0.01 else 0.06)


@pytest.mark.parametrize(
    ("value", "sign", "said"),
    [(0.0, "", "0"), (-0.0, "+", "+0"), (12345.6, "", "12,346"), (0.00874, "+", "+0.0087"), (-102.4, "+", "-102")],
)
def test_numbers_are_short(value: float, sign: str, said: str) -> None:
    assert number(value, sign) == said


def test_the_sentence_says_how_far_the_goal_moved_and_what_got_worse() -> None:
    sentence = verdict_sentence(lines())
    assert sentence.startswith("Slop (independent list) fell by 75% (95 %: 75% to 75%), from 8 to 2 per 1k words")
    assert "on 6 held-out prompts" in sentence
    assert "worse or changed: length of a text" in sentence
    assert "perplexity" not in sentence


def test_the_sentence_says_when_nothing_got_worse() -> None:
    good = [item for item in lines() if item.verdict in ("better", "same")]
    assert "none got worse" in verdict_sentence(good)


def test_a_goal_that_was_missed_is_not_praised() -> None:
    assert "rose by 100%" in verdict_sentence([line("slop_index", 2.0, 4.0)])
    assert "no sure change" in verdict_sentence([line("slop_index", 2.0, 2.0)])
    assert "rose from 0 to 2" in verdict_sentence([line("slop_index", 0.0, 2.0)])


def test_guards_are_no_headline() -> None:
    guards = [item for item in lines() if item.margin is not None]
    assert headline(guards) is None
    assert verdict_sentence(guards).startswith("Worse or changed: length of a text")
    assert headline(lines()) == lines()[0]


def test_only_surely_bad_lines_got_worse() -> None:
    assert [item.name for item in got_worse([*lines(), line("slop_index", 1.0, 2.0)])] == [
        "words_per_text",
        "slop_index",
    ]
