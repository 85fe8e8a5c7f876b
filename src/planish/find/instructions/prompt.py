"""A prompt with instructions in it."""

import random
from collections.abc import Sequence

from planish.errors import DataError
from planish.find.instructions.constraint import Constraint
from planish.records.prompt import Message, Prompt


def ask(prompt: Prompt, constraints: Sequence[Constraint], draws: random.Random | None = None) -> Prompt:
    """The prompt with the constraints asked for, in wordings that are drawn, or in the first of each.

    In a row they are `Prompt.constraints`, in their spelled form, in the place of those that the prompt has.

    Raises:
        DataError: the prompt has only token ids, which nothing can be said in.
    """
    said = " ".join(constraint.instruction(draws) for constraint in constraints)
    return with_instruction(prompt, said, tuple(constraint.spelled for constraint in constraints))


def with_instruction(prompt: Prompt, said: str, constraints: tuple[str, ...]) -> Prompt:
    """The prompt with something said in it: after the last turn of a conversation, or behind the line above the text.

    Args:
        prompt: any.
        said: what is asked for.
        constraints: what it is called in a row.

    Raises:
        DataError: the prompt has only token ids, which nothing can be said in.
    """
    if prompt.messages:
        *turns, last = prompt.messages
        asked = Message(role=last.role, content=f"{last.content} {said}")
        return Prompt(messages=(*turns, asked), constraints=constraints, tag=prompt.tag, source=prompt.source)
    if prompt.text is None:
        raise DataError(
            f"the prompt {prompt.id} has no text to ask for anything in", "give prompts with text or messages"
        )
    return Prompt(text=f"{prompt.text} {said}\n", constraints=constraints, tag=prompt.tag, source=prompt.source)
