from planish.records.preference import CompletionPreference
from planish.records.prompt import Message, Prompt, writing_prompt


def test_a_text_to_be_continued_gives_strings() -> None:
    pair = CompletionPreference.between(Prompt(text="a", constraints=("question",)), "b", "c", (1, 0))
    assert (pair.prompt, pair.chosen, pair.rejected, pair.scores) == ("a", "b", "c", (1, 0))
    assert pair.verifiers == ("question",)


def test_a_conversation_gives_turns() -> None:
    pair = CompletionPreference.between(writing_prompt("a"), "b", "c", (1, 0))
    assert pair.prompt == (Message(role="user", content="a"),)
    assert pair.chosen == (Message(role="assistant", content="b"),)
    assert pair.rejected == (Message(role="assistant", content="c"),)
