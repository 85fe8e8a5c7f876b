import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.find.verifiers.judge_reply import read_score, read_yes_no


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("It is good.\n\nScore: 8", 8),
        ("**Score:** 7.5/10", 7.5),
        ("Score: 3 at first, but in the end\nscore = 9", 9),
        ("Score: 0", 0),
        ("Score: 11", None),
        ("Score: -1", None),
        ("It is a ten.", None),
        ("", None),
    ],
)
def test_a_score_is_the_last_that_is_named(reply: str, score: float | None) -> None:
    assert read_score(reply) == score


@given(st.text(max_size=40), st.integers(0, 10))
def test_whatever_stands_before_a_score_it_is_found(chatter: str, score: int) -> None:
    assert read_score(f"{chatter}\nScore: {score}") == score


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Yes.", True),
        ("no", False),
        ("**Yes**", True),
        ("Yes, they mean the same.", True),
        ("They differ in one word.\nNo.", False),
        ("No one could tell.\nAnswer: yes", True),
        ("Yes, I think.\nNo difference was found.", True),
        ("Yes.\nNo.", None),
        ("Perhaps.", None),
        ("Nobody knows", None),
        ("", None),
    ],
)
def test_yes_and_no_are_read_where_they_are_meant(reply: str, said: bool | None) -> None:
    assert read_yes_no(reply) is said
