import pytest

from planish.find.verifiers.back_translation import without_contradicted
from planish.find.verifiers.verifier import Verifier

ONE, TWO = (
    Verifier(instruction_id="i", source=f"def evaluate(a):\n    return len(a) > {least}", status="kept")
    for least in (1, 2)
)


@pytest.mark.parametrize(
    ("answers", "least", "kept"),
    [
        ([True, True, True], 1, True),
        ([True, True, False], 1, False),
        ([True, True, False], 0.6, True),
        ([True, None, None], 1, True),
        ([False, None, None], 0.1, False),
        ([None], 1, True),
        ([], 1, True),
    ],
)
def test_a_verifier_stays_where_its_descriptions_say_what_its_instruction_says(
    answers: list[bool | None], least: float, kept: bool
) -> None:
    found = without_contradicted([ONE, TWO], {ONE.id: answers}, least)
    assert found[1] == TWO
    assert (found[0] == ONE) == kept
    assert kept or (found[0].reason is not None and found[0].reason.code == "back_translation")


def test_what_was_rejected_before_keeps_its_reason() -> None:
    before = ONE.rejected("constant", "it always says True")
    assert without_contradicted([before], {before.id: [False]}) == [before]
