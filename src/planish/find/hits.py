"""What behaviours have in common that are told by how much of a text they cover."""

from collections.abc import Sequence

from planish.find.behaviour import Locatable
from planish.records.score import Failure, Sample, Score
from planish.text.word_places import word_places


def hit_scores(behaviour: Locatable, samples: Sequence[Sample]) -> list[Score | Failure]:
    """Hits and words of each text; `value` is the share of words inside a hit."""
    scores: list[Score | Failure] = []
    for sample, spans in zip(samples, behaviour.locate([sample.text for sample in samples]), strict=True):
        said = word_places(sample.text)
        words = len(said.starts)
        # A hit may end inside a word, as "well" does in "well-known"; the word is still one.
        inside = said.inside([span.start for span in spans], [span.end for span in spans])
        scores.append(
            Score(
                generation_id=sample.generation_id,
                behaviour=behaviour.name,
                version=behaviour.version,
                value=inside / words if words else 0.0,
                hits=len(spans),
                words=words,
                spans=tuple(spans),
            )
        )
    return scores
