"""The three matchers, as far as they are alike."""

from abc import ABC, abstractmethod
from typing import Any

from planish.text.matcher import Match
from planish.text.span import Span


class AdvancingMatcher(ABC):
    """A `Matcher` by what it does in `advance`, which makes nothing that several matchers side by side could share.

    It runs for every token that a model writes: states are plain tuples, as a named one takes longer to make than to
    fill.
    """

    start: Any

    @abstractmethod
    def advance(self, state: Any, text: str, spans: list[Span]) -> tuple[Any, int]:
        """Add what the next characters complete, and return the state after them and how many are held back."""

    @abstractmethod
    def finish(self, state: Any) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""

    def feed(self, state: Any, text: str) -> Match:
        """What the next characters complete; see `Matcher`."""
        spans: list[Span] = []
        after, held_chars = self.advance(state, text, spans)
        return Match(after, spans, held_chars)

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones included."""
        match = self.feed(self.start, text)
        return match.spans + self.finish(match.state)
