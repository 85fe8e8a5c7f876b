"""Doom loops: a text that says the same over and over again, and finds no way out."""

from collections.abc import Sequence

from planish.find.presence import presence_scores
from planish.records.score import Failure, Sample, Score
from planish.text.loops import (
    LEAST_CHARS,
    LEAST_CHARS_WITHOUT_LETTERS,
    LEAST_TIMES,
    LONGEST_PERIOD,
    LoopMatcher,
)
from planish.text.matcher import Matcher
from planish.text.span import Span


class Loops:
    """Whether a text gets caught in a loop; `LoopMatcher` says what counts as one.

    `value` is 1 or 0: however long a loop goes on, and most go on to the end, it is one hit. The token to be replaced
    is the one that begins the second occurrence.

    Source: Liquid AI, Antidoom (2026), for what counts as a loop and where it turns.
    """

    name = "loops"
    version = f"{LEAST_TIMES}-{LEAST_CHARS}-{LEAST_CHARS_WITHOUT_LETTERS}-{LONGEST_PERIOD}"

    def __init__(self) -> None:
        self._matcher = LoopMatcher()

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """1 for a text with a loop in it, 0 for any other."""
        return presence_scores(self, samples)

    def locate(self, texts: Sequence[str]) -> list[list[Span]]:
        """From where the second occurrence begins to where it is a loop."""
        return [self._matcher.locate(text) for text in texts]

    def matcher(self) -> Matcher:
        """The same while a text streams in."""
        return self._matcher

    def turn(self, span: Span, text: str) -> int:
        """Where the second occurrence begins, whatever word stands there."""
        return span.start
