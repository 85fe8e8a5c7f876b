"""Negativity: how gloomy a text sounds."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from planish.records.score import Failure, Sample, Score
from planish.text.words import words

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

# The authors' own threshold: a text above it is neutral or positive.
NEGATIVE_COMPOUND = -0.05


class Negativity:
    """VADER's compound score, turned round: `value` is 0 for the happiest text, 0.5 for a neutral, 1 for the saddest.

    `hits` is 1 for a negative text, so that the rate of hits is the share of negative texts.

    Source: Hutto and Gilbert, VADER (ICWSM 2014).
    """

    name = "negativity"
    version = "vader-3.3"

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """One score a text."""
        return [self._score(sample) for sample in samples]

    def _score(self, sample: Sample) -> Score:
        compound = _analyser().polarity_scores(sample.text)["compound"]
        return Score(
            generation_id=sample.generation_id,
            behaviour=self.name,
            version=self.version,
            value=(1 - compound) / 2,
            hits=int(compound <= NEGATIVE_COMPOUND),
            words=len(words(sample.text)),
        )


@cache
def _analyser() -> "SentimentIntensityAnalyzer":
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
