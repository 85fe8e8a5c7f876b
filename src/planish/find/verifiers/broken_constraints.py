"""Broken instructions of both kinds in one prompt: those that verifiers check, and those that are built in."""

from collections.abc import Sequence

from planish.find.behaviour import Behaviour
from planish.find.verifiers.verified import PREFIX
from planish.records.score import Failure, Sample, Score


class BrokenConstraints:
    """The share of a prompt's constraints that a text breaks, whoever checks them; `hits` is 1 where any is broken.

    What one side cannot say makes the text a failure.
    """

    name = "broken_constraints"

    def __init__(self, built_in: Behaviour, verified: Behaviour) -> None:
        """Ask each side for its own constraints.

        Args:
            built_in: judges the constraints whose names have no prefix.
            verified: judges those that begin with `verifier:`.
        """
        self._sides = ((built_in, False), (verified, True))
        self.version = f"{built_in.version}+{verified.version}"

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """One score a text."""
        parts: list[list[tuple[int, Score | Failure]]] = [[] for _ in samples]
        for behaviour, is_verified in self._sides:
            own = {place: part for place, each in enumerate(samples) if (part := _part(each, is_verified))}
            for (place, part), found in zip(own.items(), behaviour.score(list(own.values())), strict=True):
                parts[place].append((len(part.prompt.constraints), found))
        return [self._joined(sample, own) for sample, own in zip(samples, parts, strict=True)]

    def _joined(self, sample: Sample, parts: Sequence[tuple[int, Score | Failure]]) -> Score | Failure:
        errors = [found.error for _, found in parts if isinstance(found, Failure)]
        if errors or not parts:
            error = errors[0] if errors else "the prompt has no constraints"
            return Failure(generation_id=sample.generation_id, behaviour=self.name, error=error)
        scores = [(count, found) for count, found in parts if isinstance(found, Score)]
        return Score(
            generation_id=sample.generation_id,
            behaviour=self.name,
            version=self.version,
            value=sum(count * score.value for count, score in scores) / sum(count for count, _ in scores),
            hits=max(score.hits for _, score in scores),
            words=scores[0][1].words,
        )


def _part(sample: Sample, is_verified: bool) -> Sample | None:
    """The sample with one side's constraints alone, where there are any."""
    names = tuple(name for name in sample.prompt.constraints if name.startswith(PREFIX) == is_verified)
    return sample._replace(prompt=sample.prompt.model_copy(update={"constraints": names})) if names else None
