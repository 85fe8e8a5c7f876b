"""What every streaming matcher answers: has something just been completed, and how much must still be held back?"""

from typing import Any, NamedTuple, Protocol

from planish.text.span import Span


class Match(NamedTuple):
    """What one feed found.

    `state` is immutable, so a stream that goes back simply takes up an earlier state. `spans` are counted in characters
    from the start of the stream. `held_chars` is how many of the latest characters could still become part of a span.
    """

    state: Any
    spans: list[Span]
    held_chars: int


class Matcher(Protocol):
    """Finds spans in a text that arrives piece by piece. How the text is cut into pieces changes nothing."""

    @property
    def start(self) -> Any:
        """The state before the first character."""
        ...

    def feed(self, state: Any, text: str) -> Match:
        """What the next characters complete."""
        ...

    def finish(self, state: Any) -> list[Span]:
        """What the end of the text completes: a word that ends with the text ends there."""
        ...
