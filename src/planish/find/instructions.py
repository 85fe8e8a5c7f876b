"""Broken instructions: what a text was told to do and did not."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from planish.records.score import Failure, Sample, Score
from planish.text.words import words


class Constraint(NamedTuple):
    """An instruction that a program can check."""

    name: str
    instruction: str
    holds: Callable[[str], bool]


CONSTRAINTS = {
    constraint.name: constraint
    for constraint in (
        Constraint("dialogue", "Let somebody speak.", lambda text: text.count('"') >= 2),
        Constraint("question", "Ask a question.", lambda text: "?" in text),
        Constraint("two_paragraphs", "Write two paragraphs.", lambda text: "\n" in text.strip()),
    )
}


class BrokenInstructions:
    """The share of a prompt's constraints that a text breaks; `hits` is 1 where any is broken."""

    name = "broken_instructions"
    version = "1"

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """One score a text; a prompt without constraints, or with an unknown one, is a failure."""
        return [self._score(sample) for sample in samples]

    def _score(self, sample: Sample) -> Score | Failure:
        names = sample.prompt.constraints
        unknown = [name for name in names if name not in CONSTRAINTS]
        if unknown or not names:
            error = f"unknown constraint {unknown[0]!r}" if unknown else "the prompt has no constraints"
            return Failure(generation_id=sample.generation_id, behaviour=self.name, error=error)
        broken = sum(not CONSTRAINTS[name].holds(sample.text) for name in names)
        return Score(
            generation_id=sample.generation_id,
            behaviour=self.name,
            version=self.version,
            value=broken / len(names),
            hits=int(broken > 0),
            words=len(words(sample.text)),
        )
