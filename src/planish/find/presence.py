"""The scores of a behaviour that a text either has or has not."""

from collections.abc import Sequence

from planish.find.behaviour import Locatable
from planish.records.score import Failure, Sample, Score
from planish.text.words import words


def presence_scores(behaviour: Locatable, samples: Sequence[Sample]) -> list[Score | Failure]:
    """1 for each text that the behaviour stands in anywhere, 0 for any other."""
    found = behaviour.locate([sample.text for sample in samples])
    return [
        Score(
            generation_id=sample.generation_id,
            behaviour=behaviour.name,
            version=behaviour.version,
            value=float(bool(spans)),
            hits=len(spans),
            words=len(words(sample.text)),
            spans=tuple(spans),
        )
        for sample, spans in zip(samples, found, strict=True)
    ]
