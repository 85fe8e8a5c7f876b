"""What a behaviour must be able to do. What it can do decides which steers and tuners work with it."""

from collections.abc import Sequence
from typing import Protocol

from planish.records.score import Failure, Sample, Score
from planish.text.matcher import Matcher
from planish.text.span import Span


class Behaviour(Protocol):
    """Something visible in a text. It can rank completions, tag a corpus, or be what a value head foresees."""

    name: str
    version: str

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """One answer for each sample, in order; a sample that cannot be scored is a `Failure`."""
        ...


class Locatable(Behaviour, Protocol):
    """A behaviour that knows where it stands, so that it can be trained out token by token."""

    def locate(self, texts: Sequence[str]) -> list[list[Span]]:
        """The spans in each text, in order and without overlap."""
        ...


class Bannable(Locatable, Protocol):
    """A behaviour that can be seen while a text streams in, so that it can be banned."""

    def matcher(self) -> Matcher:
        """A streaming matcher that completes exactly the spans that `locate` finds, overlapping ones included."""
        ...
