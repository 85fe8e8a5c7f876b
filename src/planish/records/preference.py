"""What should have been written instead, token by token or text by text."""

from collections.abc import Mapping
from itertools import takewhile
from typing import Any, Self

from pydantic import FiniteFloat, ValidationError

from planish.records.generation import Generation
from planish.records.prompt import Message, Prompt
from planish.records.record import Fault, Record

Side = str | tuple[Message, ...]
# What another tool calls so need not be what is meant here.
ASIDE = ("scores", "verifiers", "group")


class Point(Record):
    """One place on a path: `chosen` should be likelier than `rejected`.

    `position` is an index into the path's `token_ids`, of the place where the rejected token would stand: the hidden
    state at `position - 1` predicts it. `chosen_probs` are the plain model's, in the order of `chosen`; none where they
    are not known. With `after_rejected`, a token that was itself rejected there stands before it on its path.
    """

    position: int
    rejected: int
    chosen: tuple[int, ...]
    chosen_probs: tuple[FiniteFloat, ...]
    rule: str
    after_rejected: bool = False

    def fault(self) -> Fault | None:
        """Why nothing can be learned from it, wherever it stands; None where something can."""
        if not self.chosen:
            return Fault("nothing chosen", "a point has nothing chosen")
        if self.rejected in self.chosen:
            return Fault("chosen and rejected", f"a point has the token {self.rejected} both chosen and rejected")
        if self.chosen_probs and len(self.chosen_probs) != len(self.chosen):
            counts = f"{len(self.chosen)} chosen tokens and {len(self.chosen_probs)} chosen_probs"
            return Fault("chosen_probs", f"a point has {counts}")
        return None


class TokenPreferences(Record):
    """One path with all its points: the final text, or an abandoned branch. Ids only; text is never tokenised again."""

    generation_id: str
    token_ids: tuple[int, ...]
    prompt_length: int
    points: tuple[Point, ...]
    is_branch: bool = False

    @classmethod
    def of_columns(cls, columns: Mapping[str, Any]) -> Self:
        """A path as a data set has it, whatever other columns there are.

        Raises:
            ValidationError: a column does not fit.
        """
        return cls.model_validate({**_known(cls, columns), "points": _each_known(Point, columns.get("points"))})

    def fault(self) -> Fault | None:
        """Why nothing can be learned from it; None where something can."""
        length = len(self.token_ids)
        for point in self.points:
            # At the end stands a point whose rejected token would come next.
            if not 0 < point.position <= length:
                return Fault("off the path", f"a point stands at {point.position}, on a path of {length} tokens")
            if point.position < self.prompt_length:
                where = f"in a prompt of {self.prompt_length} tokens"
                return Fault("in the prompt", f"a point stands at {point.position}, {where}")
            if fault := point.fault():
                return fault
        if not 0 <= self.prompt_length <= length:
            return Fault("prompt_length", f"prompt_length is {self.prompt_length}, on a path of {length} tokens")
        return None if self.points else Fault("no points", "it has no points")


class CompletionPreference(Record):
    """Two completions of one prompt, under TRL's own field names, so that any trainer can read them.

    Where both were written by a model, the ids are what it read and wrote: text is never tokenised again, and whether a
    completion has an end is known. Rows of one `group` are learned from in one step.
    """

    prompt: Side
    chosen: Side
    rejected: Side
    scores: tuple[FiniteFloat, FiniteFloat] = (0.0, 0.0)
    verifiers: tuple[str, ...] = ()
    group: str = ""
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

    @classmethod
    def of_columns(cls, columns: Mapping[str, Any]) -> Self:
        """A pair as a data set has it, whatever other columns there are.

        Of two conversations the turns with which both begin are the prompt, or belong to it.

        Raises:
            ValidationError: a column does not fit.
        """
        row = _known(cls, columns)
        for name in ("prompt", "chosen", "rejected"):
            row[name] = _each_known(Message, row.get(name))
        if row["prompt"] is None and isinstance(row["chosen"], list):
            row["prompt"] = ()
        try:
            pair = cls.model_validate(row)
        except ValidationError:
            pair = cls.model_validate({name: value for name, value in row.items() if name not in ASIDE})
        return pair if pair.has_ids else pair._divided()

    @property
    def has_ids(self) -> bool:
        """Whether it is the ids that are learned from, and not the texts."""
        return bool(self.chosen_ids and self.rejected_ids)

    def fault(self) -> Fault | None:
        """Why nothing can be learned from it; None where something can."""
        sides = (self.chosen_ids, self.rejected_ids) if self.has_ids else (self.chosen, self.rejected)
        if sides[0] == sides[1]:
            return Fault("the same", "chosen and rejected are the same")
        if self.has_ids:
            return None
        if self.prompt == ():
            return Fault("no prompt", "no turn stands before that in which chosen and rejected differ")
        if fault := _fault_of_turns("chosen", self.chosen) or _fault_of_turns("rejected", self.rejected):
            return fault
        text = self.chosen if isinstance(self.chosen, str) else self.chosen[0].content
        return None if text else Fault("empty", "chosen is empty")

    def _divided(self) -> Self:
        """With what both sides begin with in the prompt."""
        chosen, rejected, prompt = self.chosen, self.rejected, self.prompt
        if isinstance(chosen, str) or isinstance(rejected, str):
            return self
        both = takewhile(lambda turns: turns[0] == turns[1], zip(chosen, rejected, strict=False))
        shared = tuple(turn for turn, _ in both)
        if isinstance(prompt, str):
            # Data sets of conversations have the user's first turn here once more.
            prompt = () if shared else (Message(role="user", content=prompt),)
        before = shared if shared[: len(prompt)] == prompt else (*prompt, *shared)
        sides = {"chosen": chosen[len(shared) :], "rejected": rejected[len(shared) :]}
        return self.model_copy(update={"prompt": before, **sides})


def _fault_of_turns(name: str, side: Side) -> Fault | None:
    """Why a side is no text that was written for a prompt."""
    if isinstance(side, str):
        return None
    if len(side) != 1:
        return Fault(
            f"turns of {name}", f"{name} has {len(side)} turns beside those with which both begin, and not one"
        )
    if side[0].role != "assistant":
        return Fault(f"role of {name}", f"{name} is a turn of {side[0].role!r}, and not of 'assistant'")
    return None


def _known(kind: type[Record], columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that such a record has."""
    return {name: columns[name] for name in kind.model_fields if columns.get(name) is not None}


def _each_known(kind: type[Record], rows: Any) -> Any:
    """Of each of some rows what such a record has; anything else as it is."""
    return [_known(kind, row) if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else rows
