"""What should have been written instead, token by token or text by text."""

from typing import Self

from planish.records.generation import Generation
from planish.records.prompt import Message, Prompt
from planish.records.record import Record


class Point(Record):
    """One place on a path: `chosen` should be likelier than `rejected`.

    `position` is an index into the path's `token_ids`, of the place where the rejected token would stand: the hidden
    state at `position - 1` predicts it. `chosen_probs` are the plain model's, in the order of `chosen`; none where they
    are not known. With `after_rejected`, a token that was itself rejected there stands before it on its path.
    """

    position: int
    rejected: int
    chosen: tuple[int, ...]
    chosen_probs: tuple[float, ...]
    rule: str
    after_rejected: bool = False


class TokenPreferences(Record):
    """One path with all its points: the final text, or an abandoned branch. Ids only; text is never tokenised again."""

    generation_id: str
    token_ids: tuple[int, ...]
    prompt_length: int
    points: tuple[Point, ...]
    is_branch: bool = False


class CompletionPreference(Record):
    """Two completions of one prompt, under TRL's own field names, so that any trainer can read them.

    Where both were written by a model, the ids are what it read and wrote: text is never tokenised again, and whether a
    completion has an end is known.
    """

    prompt: str | tuple[Message, ...]
    chosen: str | tuple[Message, ...]
    rejected: str | tuple[Message, ...]
    scores: tuple[float, float] = (0.0, 0.0)
    verifiers: tuple[str, ...] = ()
    prompt_ids: tuple[int, ...] = ()
    chosen_ids: tuple[int, ...] = ()
    rejected_ids: tuple[int, ...] = ()

    @classmethod
    def between(cls, prompt: Prompt, chosen: str, rejected: str, scores: tuple[float, float]) -> Self:
        """A pair for a prompt: strings for a text to be continued, turns for a conversation."""
        if prompt.text is not None:
            return cls(
                prompt=prompt.text, chosen=chosen, rejected=rejected, scores=scores, verifiers=prompt.constraints
            )
        turns = [(Message(role="assistant", content=text),) for text in (chosen, rejected)]
        return cls(
            prompt=prompt.messages or (),
            chosen=turns[0],
            rejected=turns[1],
            scores=scores,
            verifiers=prompt.constraints,
        )

    @classmethod
    def written(cls, prompt: Prompt, chosen: Generation, rejected: Generation, scores: tuple[float, float]) -> Self:
        """A pair of texts that one model wrote for a prompt."""
        ids = {
            "prompt_ids": chosen.prompt_token_ids,
            "chosen_ids": chosen.token_ids,
            "rejected_ids": rejected.token_ids,
        }
        return cls.between(prompt, chosen.text, rejected.text, scores).model_copy(update=ids)
