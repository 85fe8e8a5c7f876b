"""Which constraints prompts are asked for."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import PlanishError, UsageError
from planish.find.instructions import KINDS, compatible, parse_constraint
from planish.prove.lift import Asked
from planish.recipes.asked_prompts import asked_in_turn, asked_together, drawn, kinds_of
from planish.recipes.autoif_settings import AutoifSettings
from planish.records.prompt import Message, Prompt, writing_prompt

PROMPTS = [writing_prompt(f"Write about a ferry, a pilot and {number} dogs.") for number in range(40)]
FIVE_WORDS = 'at_most_words{"count": 5}'
NO_REQUEST = Prompt(text="...")
SPELLED = st.sampled_from([*KINDS])
SOME = st.lists(SPELLED, min_size=1, max_size=8, unique=True)


def names(asked: Sequence[Asked]) -> list[list[str]]:
    return [[spelled.partition("{")[0] for spelled in each.prompt.constraints] for each in asked]


def test_by_default_all_kinds_are_used_that_are_not_held_out() -> None:
    assert kinds_of((), ()) == (tuple(KINDS), ())
    found = kinds_of((), ("no_commas", FIVE_WORDS))
    assert set(found.used) == set(KINDS) - {"no_commas", "at_most_words"}
    assert found.held_out == ("no_commas", FIVE_WORDS)
    assert kinds_of(("question", FIVE_WORDS), ("no_commas",)).used == ("question", FIVE_WORDS)


@pytest.mark.parametrize(
    ("used", "held_out"),
    [
        ("no_commas", "no_commas"),
        (FIVE_WORDS, FIVE_WORDS),
        (FIVE_WORDS, 'at_most_words{"count":5}'),
        # Any number of words may be drawn, five too.
        ("at_most_words", FIVE_WORDS),
        (FIVE_WORDS, "at_most_words"),
    ],
)
def test_what_is_used_cannot_be_held_out(used: str, held_out: str) -> None:
    with pytest.raises(UsageError, match="both used and held out") as caught:
        kinds_of(("question", used), ("dialogue", held_out))
    assert used in caught.value.message
    assert "held_out_kinds" in caught.value.hint


def test_the_same_kind_may_be_used_and_held_out_with_other_parameters() -> None:
    assert kinds_of((FIVE_WORDS,), ('at_most_words{"count": 9}',)).used == (FIVE_WORDS,)


@pytest.mark.parametrize("key", ["kinds", "held_out_kinds"])
@pytest.mark.parametrize(
    ("spelled", "named"),
    [
        ("no_coma", ["'no_coma'", "'no_commas'"]),
        ('at_most_word{"count": 3}', ["'at_most_word'", "'at_most_words'"]),
        ('at_most_words{"count": 0}', ["count = 0"]),
        ('at_most_words{"count": 3, "words": 3}', ["'words'", "at_most_words{"]),
        ("at_most_words{", ["no JSON"]),
        ("xyzzy", ["'xyzzy'", "no_commas"]),
    ],
)
def test_a_kind_that_is_none_is_refused_with_what_to_write(key: str, spelled: str, named: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        AutoifSettings.from_user({"model": "tiny", key: ["question", spelled]})
    said = f"{caught.value.message}; {caught.value.hint}"
    assert all(name in said for name in named), said


@pytest.mark.parametrize("name", KINDS)
def test_of_a_name_the_parameters_are_drawn_and_otherwise_given(name: str) -> None:
    of_name = {found.spelled for seed in range(20) if (found := drawn(name, PROMPTS[0], random.Random(seed)))}
    assert {spelled.partition("{")[0] for spelled in of_name} == {name}
    spelled = min(of_name)
    assert {drawn(spelled, PROMPTS[0], random.Random(seed)) for seed in range(5)} == {parse_constraint(spelled)}


@given(SOME, st.integers(1, 5), st.integers(0, 99))
def test_a_prompt_has_up_to_so_many_constraints_that_can_stand_together(kinds: list[str], most: int, seed: int) -> None:
    asked = asked_together(PROMPTS[:5], kinds, most, random.Random(seed))
    assert asked == asked_together(PROMPTS[:5], kinds, most, random.Random(seed))
    assert [each.plain for each in asked] == PROMPTS[:5]
    for each, own in zip(asked, names(asked), strict=True):
        assert 1 <= len(own) <= most
        assert set(own) <= set(kinds)
        assert compatible([parse_constraint(spelled) for spelled in each.prompt.constraints])
        assert each.prompt.content.startswith(each.plain.content)
        assert len(each.prompt.content) > len(each.plain.content)


def test_every_number_of_constraints_up_to_the_most_is_drawn() -> None:
    asked = asked_together(PROMPTS, tuple(KINDS), 5, random.Random(0))
    assert {len(own) for own in names(asked)} == {1, 2, 3, 4, 5}
    assert {len(own) for own in names(asked_together(PROMPTS, tuple(KINDS), 1, random.Random(0)))} == {1}


def test_the_same_constraint_is_asked_for_in_more_than_one_wording() -> None:
    asked = asked_together(PROMPTS, ["no_commas"], 1, random.Random(0))
    assert len({each.prompt.content.removeprefix(each.plain.content) for each in asked}) > 1


def test_constraints_that_cannot_stand_together_are_asked_for_one_by_one() -> None:
    kinds = ["all_lowercase", "all_uppercase", "title_case"]
    assert {len(own) for own in names(asked_together(PROMPTS, kinds, 3, random.Random(0)))} == {1}


def test_a_prompt_that_no_kind_fits_is_left_out() -> None:
    prompts = [PROMPTS[0], NO_REQUEST, PROMPTS[1]]
    together = asked_together(prompts, ["repeats_request"], 1, random.Random(0))
    in_turn = asked_in_turn(prompts, ["repeats_request"], 1, random.Random(0))
    assert [each.plain for each in together] == [each.plain for each in in_turn] == PROMPTS[:2]


@given(SOME, st.integers(1, 9), st.integers(1, 12))
def test_each_prompt_is_asked_in_turn_for_so_many_kinds(kinds: list[str], each: int, prompts: int) -> None:
    asked = asked_in_turn(PROMPTS[:prompts], kinds, each, random.Random(0))
    count = Counter(one.kind for one in asked)
    assert max(count.values()) - min(count[kind] for kind in kinds) <= 1
    own = Counter(one.plain.id for one in asked)
    assert set(own.values()) == {min(each, len(kinds))}
    assert len(own) == prompts
    for one, [name] in zip(asked, names(asked), strict=True):
        assert one.kind == name
    # A kind comes once with a prompt, so no text is counted twice.
    assert len({one.prompt.id for one in asked}) == len(asked)


def test_a_kind_is_named_as_it_was_spelled() -> None:
    asked = asked_in_turn(PROMPTS[:2], [FIVE_WORDS, "question"], 2, random.Random(0))
    assert [each.kind for each in asked] == [FIVE_WORDS, "question"] * 2
    assert asked[0].prompt.constraints == (FIVE_WORDS,)


def test_a_conversation_is_asked_in_its_last_turn() -> None:
    turns = (Message(role="system", content="Be brief."), Message(role="user", content="Who sails?"))
    [asked] = asked_in_turn([Prompt(messages=turns)], ["no_commas"], 1, random.Random(0))
    assert asked.prompt.messages is not None
    assert asked.prompt.messages[0] == turns[0]
    assert asked.prompt.messages[1].content.startswith("Who sails? ")


def test_a_prompt_of_ids_only_is_refused() -> None:
    with pytest.raises(PlanishError):
        asked_in_turn([Prompt(token_ids=(1, 2))], ["no_commas"], 1, random.Random(0))
