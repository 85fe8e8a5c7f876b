"""Text in which some sections are not to be looked at, such as a model's thinking."""

from typing import Any, NamedTuple

from planish.text.matcher import Match, Matcher
from planish.text.span import Span


class _State(NamedTuple):
    """`tail` are the latest characters, which may be the beginning of a tag; `seen` counts those before them.

    The matcher's `own` state counts from `begin`: it starts anew behind every section.
    """

    own: Any
    begin: int = 0
    seen: int = 0
    tail: str = ""
    is_inside: bool = False


class OutsideSections:
    """A matcher that sees nothing of what stands between two tags, nor the tags.

    A section ends at the next closing tag, whatever stands in it; a closing tag outside is text like any other. What
    stands before a section and what stands behind it are two texts. A tag stands in the prompt or in the text, not
    across both.
    """

    def __init__(self, matcher: Matcher, opening: str, closing: str) -> None:
        self._matcher, self._opening, self._closing = matcher, opening, closing
        self.start = _State(matcher.start)

    def after(self, prompt: str) -> _State:
        """The state before the first character written behind a prompt, whose last section may still be open."""
        return self.start._replace(is_inside=prompt.rfind(self._opening) > prompt.rfind(self._closing))

    def feed(self, state: _State, text: str) -> Match:
        """What the next characters complete; see `Matcher`. What may be the beginning of a tag is held back."""
        own, begin, seen, tail, is_inside = state
        spans: list[Span] = []
        held_chars = 0
        text = tail + text
        while (at := text.find(tag := self._closing if is_inside else self._opening)) >= 0:
            if not is_inside:
                match = self._matcher.feed(own, text[:at])
                spans += _shifted(match.spans + self._matcher.finish(match.state), begin)
            seen += at + len(tag)
            own, begin, is_inside = self._matcher.start, seen, not is_inside
            text = text[at + len(tag) :]
        tail = _beginning_at_the_end(tag, text)
        text = text.removesuffix(tail)
        if not is_inside:
            own, found, held_chars = self._matcher.feed(own, text)
            held_chars += len(tail)
            spans += _shifted(found, begin)
        return Match(_State(own, begin, seen + len(text), tail, is_inside), spans, held_chars)

    def finish(self, state: _State) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        if state.is_inside:
            return []
        match = self._matcher.feed(state.own, state.tail)
        return _shifted(match.spans + self._matcher.finish(match.state), state.begin)


def _beginning_at_the_end(tag: str, text: str) -> str:
    """The longest end of a text that is a beginning of the tag, but not all of it."""
    if tag[0] not in text:
        return ""
    return next(tag[:length] for length in range(len(tag) - 1, -1, -1) if text.endswith(tag[:length]))


def _shifted(spans: list[Span], by: int) -> list[Span]:
    return [Span(start + by, end + by, rule) for start, end, rule in spans]
