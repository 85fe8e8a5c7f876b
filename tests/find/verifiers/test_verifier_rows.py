import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.find.verifiers.verifier import Case, Verifier

PLAIN = "def evaluate(response):\n    words = response.split()\n    return len(words) > 3"


def id_of(source: str) -> str:
    return Verifier(instruction_id="i", source=source).id


@pytest.mark.parametrize(
    "source",
    [
        "def evaluate(response):\n\n  words = response.split()  # all of them\n  return len(words) > 3\n",
        "def evaluate(text: str) -> bool:\n    '''Count.'''\n    parts = text.split()\n    return (len(parts) > 3)",
    ],
)
def test_what_changes_nothing_does_not_change_the_id(source: str) -> None:
    assert id_of(source) == id_of(PLAIN)


@pytest.mark.parametrize(
    "source",
    [
        PLAIN.replace("3", "4"),
        PLAIN.replace("len(words)", "len(response)"),
        PLAIN.replace("split", "splitlines"),
        PLAIN.replace("evaluate", "check"),
    ],
)
def test_another_program_has_another_id(source: str) -> None:
    assert id_of(source) != id_of(PLAIN)


def test_helpers_may_have_any_name_but_not_any_content() -> None:
    first = "def ok(w):\n    return w.isupper()\n\ndef evaluate(response):\n    return ok(response)"
    assert id_of(first) == id_of(first.replace("ok", "is_fine"))
    assert id_of(first) != id_of(first.replace("isupper", "islower"))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_has_an_id_though_it_is_no_python(source: str) -> None:
    assert id_of(source) == id_of(source)
    assert len(id_of(source)) == 16


def test_a_source_that_is_nested_too_deep_has_an_id() -> None:
    assert id_of("(" * 100_000) != id_of("(" * 100_001)
    assert id_of("-" * 50_000 + "1") != id_of("-" * 50_001 + "1")


def test_a_rejected_row_says_why_and_is_otherwise_the_same() -> None:
    verifier = Verifier(instruction_id="i", source=PLAIN, origin="reply 3")
    rejected = verifier.rejected("constant", "it always says True")
    assert (rejected.status, rejected.id, rejected.origin) == ("rejected", verifier.id, "reply 3")
    assert rejected.reason is not None
    assert (rejected.reason.code, rejected.reason.words) == ("constant", "it always says True")
    case = Case(text="a", holds=True, origin="blind").rejected("outvoted", "20% of the votes")
    assert (case.status, case.holds, case.reason and case.reason.code) == ("rejected", True, "outvoted")


def test_rows_can_be_written_and_read() -> None:
    verifier = Verifier(instruction_id="i", source=PLAIN, repairs={"chatter": 1}).rejected("constant", "always")
    assert Verifier.model_validate_json(verifier.model_dump_json()) == verifier
