"""Broken instructions: what a text was told to do and did not."""

from collections.abc import Sequence

from planish.errors import DataError
from planish.find.instructions.kinds import parse_constraint
from planish.records.score import Failure, Sample, Score
from planish.text.words import words


class BrokenInstructions:
    """The share of a prompt's constraints that a text breaks; `hits` is 1 where any is broken.

    Args:
        thinking: the tags around what a model thinks, such as `("<think>", "</think>")`; nothing between them is
            looked at. A section that is never closed goes on to the end.
    """

    name = "broken_instructions"
    version = "2"

    def __init__(self, thinking: tuple[str, str] | None = None) -> None:
        self._thinking = thinking

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """One score a text; a prompt without constraints, or with one that cannot be read, is a failure."""
        return [self._score(sample) for sample in samples]

    def _score(self, sample: Sample) -> Score | Failure:
        try:
            constraints = [parse_constraint(spelled) for spelled in sample.prompt.constraints]
            if not constraints:
                raise DataError("the prompt has no constraints")
        except DataError as error:
            return Failure(generation_id=sample.generation_id, behaviour=self.name, error=error.message)
        answer = self._answer(sample.text)
        broken = sum(not constraint.holds(answer) for constraint in constraints)
        return Score(
            generation_id=sample.generation_id,
            behaviour=self.name,
            version=self.version,
            value=broken / len(constraints),
            hits=int(broken > 0),
            words=len(words(answer)),
        )

    def _answer(self, text: str) -> str:
        """The text without what was thought."""
        if self._thinking is None:
            return text
        opening, closing = self._thinking
        first, *others = text.split(opening)
        return first + "".join(part.partition(closing)[2] for part in others)
