import pytest

from planish.find.instructions import CONSTRAINTS, BrokenInstructions
from planish.records.prompt import Prompt
from planish.records.score import Failure, Sample, Score

# For each constraint a text that keeps it and one that does not.
TEXTS = {
    "dialogue": ('"Go," he said.', "He said nothing."),
    "question": ("Why?", "Because."),
    "two_paragraphs": ("One.\nTwo.", "\nOne.\n"),
}


def judge(constraints: tuple[str, ...], text: str) -> Score | Failure:
    return BrokenInstructions().score([Sample(Prompt(text="a", constraints=constraints), text, "g")])[0]


def test_every_constraint_is_tested_here() -> None:
    assert TEXTS.keys() == CONSTRAINTS.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_keeps_a_constraint_breaks_nothing(name: str) -> None:
    for text, broken in zip(TEXTS[name], (0, 1), strict=True):
        answer = judge((name,), text)
        assert isinstance(answer, Score)
        assert (answer.value, answer.hits, answer.generation_id) == (broken, broken, "g")


def test_the_value_is_the_share_of_constraints_that_are_broken() -> None:
    answer = judge(("dialogue", "question"), "Why?")
    assert isinstance(answer, Score)
    assert (answer.value, answer.hits) == (0.5, 1)


@pytest.mark.parametrize("constraints", [(), ("rhyme",), ("question", "rhyme")])
def test_what_cannot_be_checked_is_a_failure_and_no_score(constraints: tuple[str, ...]) -> None:
    answer = judge(constraints, "Why?")
    assert isinstance(answer, Failure)
    assert answer.generation_id == "g"
    assert "rhyme" in answer.error or not constraints
