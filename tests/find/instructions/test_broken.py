import pytest

from planish.find.instructions import BrokenInstructions
from planish.records.prompt import Prompt
from planish.records.score import Failure, Sample, Score

THINKING = ("<think>", "</think>")


def judge(constraints: tuple[str, ...], text: str, thinking: tuple[str, str] | None = None) -> Score | Failure:
    return BrokenInstructions(thinking).score([Sample(Prompt(text="a", constraints=constraints), text, "g")])[0]


def test_a_text_that_keeps_a_constraint_breaks_nothing() -> None:
    for text, broken in (("Why?", 0), ("Because.", 1), ("", 1)):
        answer = judge(("question",), text)
        assert isinstance(answer, Score)
        assert (answer.value, answer.hits, answer.generation_id) == (broken, broken, "g")


def test_the_value_is_the_share_of_constraints_that_are_broken() -> None:
    answer = judge(("dialogue", "question", 'exactly_words{"count": 1}', "no_commas"), "Why?")
    assert isinstance(answer, Score)
    assert (answer.value, answer.hits, answer.words) == (0.25, 1, 1)


@pytest.mark.parametrize("constraints", [(), ("rhyme",), ("question", "rhyme")])
def test_what_cannot_be_checked_is_a_failure_and_no_score(constraints: tuple[str, ...]) -> None:
    answer = judge(constraints, "Why?")
    assert isinstance(answer, Failure)
    assert answer.generation_id == "g"
    assert "rhyme" in answer.error or not constraints


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("<think>Well, so.</think>So.", 0),
        ("<think>Well.</think>So, then.", 1),
        ("So. <think>Well, so", 0),
        ("<think>So.", 1),
        ("<think>a,</think>So<think>b,</think> be it.", 0),
    ],
)
def test_what_is_thought_between_tags_is_not_looked_at(text: str, broken: int) -> None:
    answer = judge(("no_commas",), text, THINKING)
    assert isinstance(answer, Score)
    assert answer.value == broken
