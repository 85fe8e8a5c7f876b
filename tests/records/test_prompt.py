import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.records.prompt import Message, Prompt, opening, writing_prompt

TEXT = st.text(max_size=6)


@given(TEXT, TEXT, st.none() | TEXT, TEXT)
def test_an_id_is_of_the_content_and_not_of_tag_or_source(text: str, constraint: str, tag: str, source: str) -> None:
    for content in ({"text": text}, {"messages": (Message(role="user", content=text),)}):
        plain = Prompt.model_validate({**content, "constraints": (constraint,)})
        assert plain.id == Prompt.model_validate(plain.model_dump() | {"id": "", "tag": tag, "source": source}).id
        assert plain.id == plain.model_copy(update={"tag": tag}).id


def test_prompts_of_different_content_have_different_ids() -> None:
    turn = Message(role="user", content="a")
    prompts = [
        opening("a"),
        opening("a "),
        Prompt(text="a", constraints=("question",)),
        Prompt(text="a", constraints=("question", "dialogue")),
        writing_prompt("a"),
        Prompt(messages=(Message(role="system", content="a"),)),
        Prompt(messages=(turn, turn)),
    ]
    assert len({prompt.id for prompt in prompts}) == len(prompts)


def test_a_prompt_has_either_text_or_messages() -> None:
    for content in ({}, {"text": "a", "messages": (Message(role="user", content="a"),)}):
        with pytest.raises(ValueError, match="either text or messages"):
            Prompt.model_validate(content)


@given(TEXT, TEXT)
def test_content_says_all_that_the_prompt_says(first: str, second: str) -> None:
    turns = Prompt(messages=(Message(role="system", content=first), Message(role="user", content=second)))
    assert first in turns.content
    assert second in turns.content
    assert opening(first).content == first
