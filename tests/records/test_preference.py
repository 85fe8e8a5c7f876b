from planish.records.preference import CompletionPreference, TokenPreferences
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


def test_a_row_from_before_branches_were_marked_is_of_a_final_text() -> None:
    point = '{"position": 2, "rejected": 5, "chosen": [6], "chosen_probs": [0.5], "rule": "lily"}'
    path = TokenPreferences.model_validate_json(
        f'{{"generation_id": "g", "token_ids": [1, 2, 3], "prompt_length": 1, "points": [{point}]}}'
    )
    assert not path.is_branch
    assert [each.after_rejected for each in path.points] == [False]
