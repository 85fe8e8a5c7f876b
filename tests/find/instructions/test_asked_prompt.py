import random

import pytest

from planish.errors import DataError
from planish.find.instructions import ask, parse_constraint
from planish.records.prompt import Message, Prompt, opening

CONSTRAINTS = tuple(map(parse_constraint, ("no_commas", 'at_least_words{"count": 60}')))


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


def test_a_conversation_is_asked_in_its_last_turn() -> None:
    first = Message(role="system", content="Be kind.")
    prompt = Prompt(messages=(first, Message(role="user", content="Say why.")), source="s", tag="t")
    asked = ask(prompt, CONSTRAINTS)
    assert asked.messages is not None
    assert asked.messages[0] == first
    assert asked.messages[1].content == "Say why. Do without commas. Use at least 60 words."
    assert asked.constraints == ("no_commas", 'at_least_words{"count": 60}')
    assert (asked.source, asked.tag, asked.id != prompt.id) == ("s", "t", True)


def test_a_text_is_asked_for_in_the_line_above_it() -> None:
    assert ask(opening("A story."), CONSTRAINTS[:1]).text == "A story. Do without commas.\n"


def test_wordings_are_drawn() -> None:
    said = {ask(opening("A story."), CONSTRAINTS, seeded(seed)).text for seed in range(50)}
    assert len(said) == len(CONSTRAINTS[0].wordings) * len(CONSTRAINTS[1].wordings)


def test_token_ids_cannot_be_asked() -> None:
    with pytest.raises(DataError, match="no text"):
        ask(Prompt(token_ids=(1, 2)), CONSTRAINTS)
