import random
from string import Formatter

import pytest
from hand_made_texts import TEXTS, HandMade
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.errors import DataError
from planish.find.instructions import KINDS, Constraint, parse_constraint

EACH = pytest.mark.parametrize("made", TEXTS, ids=lambda made: made.spelled)
EACH_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
CONTENTS = ("Tell me a story about an old lighthouse.", "Why?", "", "x" * 500, "灯台の話", 'Say "so",\nand {why}.')
STORY = (
    "Once upon a time there was an old lighthouse, and a keeper lived in it. He didn't like the rain.\n\n"
    'One day his sister Anna came. "Why do you stay here?" she asked. He only smiled; the sea was his home.\n\n'
    "They ate 2 apples and drank tea. Later the fog came in. Nobody spoke for a long time. It was good."
)
# What is long and has no ordinary sentence in it.
LONG = ("a", ".", "(", "*a", "[a", "1,", "a?", "\"'", "- a\n", "a's", "é\u0301", "\n", " ", "a. ", "{", "#", "A", "<<")


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


def drawn(kind: type[Constraint], seed: int = 0) -> Constraint:
    constraint = kind.draw(seeded(seed), CONTENTS[0])
    assert constraint is not None
    return constraint


def test_every_kind_has_hand_made_texts() -> None:
    assert [parse_constraint(made.spelled).name for made in TEXTS] == [kind.name for kind in KINDS.values()]
    assert all(len(made.passing) >= 3 <= len(made.failing) for made in TEXTS)


@EACH
def test_hand_made_texts_pass_and_fail_as_a_person_says(made: HandMade) -> None:
    constraint = parse_constraint(made.spelled)
    assert [text for text in made.passing if not constraint.holds(text)] == []
    assert [text for text in made.failing if constraint.holds(text)] == []


@EACH
def test_what_was_spelled_by_hand_is_the_canonical_form(made: HandMade) -> None:
    assert parse_constraint(made.spelled).spelled == made.spelled


@EACH
@pytest.mark.parametrize("text", ["", " \n ", "…", "*** — !?", "\u0301."])
def test_a_text_that_says_nothing_follows_no_instruction(made: HandMade, text: str) -> None:
    constraint = parse_constraint(made.spelled)
    assert not constraint.holds(text) or text == "\u0301."
    assert constraint.near_miss("", seeded(0)) is None


@EACH
def test_a_near_miss_is_another_text_that_does_not_hold(made: HandMade) -> None:
    constraint = parse_constraint(made.spelled)
    missed = [constraint.near_miss(text, seeded(seed)) for text in made.passing for seed in range(3)]
    found = [text for text in missed if text is not None]
    assert not any(map(constraint.holds, found))
    assert all(text.strip() for text in found)
    assert len(found) >= 3


@EACH
def test_a_text_that_does_not_hold_has_no_near_miss(made: HandMade) -> None:
    constraint = parse_constraint(made.spelled)
    assert [constraint.near_miss(text, seeded(0)) for text in made.failing] == [None] * len(made.failing)


@EACH
def test_what_is_mended_holds_and_what_holds_is_left_alone(made: HandMade) -> None:
    constraint = parse_constraint(made.spelled)
    assert [constraint.mended(text, seeded(0)) for text in made.passing] == list(made.passing)
    for text in (*made.failing, STORY):
        mended = constraint.mended(text, seeded(0))
        assert mended is None or constraint.holds(mended)


@EACH_KIND
def test_a_story_that_is_mended_has_a_near_miss_that_is_little_changed(kind: type[Constraint]) -> None:
    for seed in range(5):
        constraint = drawn(kind, seed)
        mended = constraint.mended(STORY, seeded(seed))
        missed = mended and constraint.near_miss(mended, seeded(seed))
        if mended and missed:
            assert not constraint.holds(missed)
            # Nothing is longer than the text and as much again.
            assert len(missed) <= 2 * len(mended) + 100


def test_most_kinds_can_mend_a_story() -> None:
    mended = [drawn(kind).mended(STORY, seeded(0)) for kind in KINDS.values()]
    assert sum(text is not None for text in mended) > 0.75 * len(mended)


@EACH_KIND
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), content=st.one_of(st.sampled_from(CONTENTS), st.text(max_size=60)))
def test_what_is_drawn_is_valid_and_reads_back(kind: type[Constraint], seed: int, content: str) -> None:
    constraint = kind.draw(seeded(seed), content)
    if constraint is not None:
        assert parse_constraint(constraint.spelled) == constraint
        assert parse_constraint(constraint.spelled).spelled == constraint.spelled
        assert constraint == kind.draw(seeded(seed), content)


@EACH_KIND
def test_every_wording_mentions_every_parameter(kind: type[Constraint]) -> None:
    assert len({*kind.wordings}) == len(kind.wordings) >= 2
    for wording in kind.wordings:
        assert {field for _, field, _, _ in Formatter().parse(wording) if field} == kind.model_fields.keys()


@EACH_KIND
def test_an_instruction_is_one_of_the_wordings_filled_in(kind: type[Constraint]) -> None:
    constraint = drawn(kind)
    said = {constraint.instruction(seeded(seed)) for seed in range(40)}
    assert len(said) == len(kind.wordings)
    assert constraint.instruction() in said
    for field in kind.model_fields:
        value = getattr(constraint, field)
        for part in value if isinstance(value, tuple) else [value]:
            assert all(str(part) in instruction for instruction in said)


def test_a_single_thing_is_asked_for_in_the_singular() -> None:
    assert "1 semicolon or" in parse_constraint('semicolons_at_least{"count": 1}').instruction()
    assert "2 semicolons or" in parse_constraint('semicolons_at_least{"count": 2}').instruction()


@EACH_KIND
@pytest.mark.parametrize("part", LONG)
def test_long_texts_of_one_thing_are_answered(kind: type[Constraint], part: str) -> None:
    # Were a check quadratic in a text like this, this test would not come to an end.
    assert drawn(kind).holds(part * (50_000 // len(part)) + "\x00") in (True, False)


@EACH_KIND
@settings(max_examples=20)
@given(text=st.text(max_size=200), seed=st.integers(0, 100))
def test_any_text_is_checked_changed_and_mended_without_an_error(kind: type[Constraint], text: str, seed: int) -> None:
    constraint = drawn(kind, seed)
    mended = constraint.mended(text, seeded(seed))
    assert mended is None or constraint.holds(mended)
    missed = constraint.near_miss(mended or "", seeded(seed))
    assert missed is None or not constraint.holds(missed)


@pytest.mark.parametrize(
    ("spelled", "says", "hint"),
    [
        ("no_comas", "unknown constraint 'no_comas'", "did you mean 'no_commas'?"),
        ("zzzz", "unknown constraint 'zzzz'", "at_least_words"),
        ("at_least_words", "the parameter 'count' is missing", 'at_least_words{"count": …}'),
        ('at_least_words{"count": 0}', "count = 0", 'at_least_words{"count": …}'),
        ('at_least_words{"count": "9"}', 'count = "9"', 'at_least_words{"count": …}'),
        ('at_least_words{"cuont": 9, "count": 9}', "no parameter 'cuont'", 'at_least_words{"count": …}'),
        ('at_least_words{"count": 9', "no JSON object", 'at_least_words{"count": …}'),
        ('no_commas{"count": 9}', "no parameter 'count'", "no_commas"),
        ('between_words{"least": 9, "most": 8}', "least must not be above most", "between_words"),
        ('first_word{"keyword": "two words"}', "one word in lower case", "first_word"),
        ('no_letter{"letter": "E"}', "one letter in lower case", "no_letter"),
        ('ends_with{"phrase": " so "}', "no white space around", "ends_with"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_is_wrong(spelled: str, says: str, hint: str) -> None:
    with pytest.raises(DataError) as refused:
        parse_constraint(spelled)
    assert says in refused.value.message
    assert hint in refused.value.hint
