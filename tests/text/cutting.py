"""A text that arrives in pieces."""

from collections.abc import Sequence
from itertools import pairwise

from planish.text.matcher import Matcher
from planish.text.span import Span


def in_pieces(matcher: Matcher, text: str, cuts: Sequence[int]) -> list[Span]:
    """What a matcher finds in a text that is cut at these places."""
    state, found = matcher.start, list[Span]()
    for start, end in pairwise(sorted({*(cut for cut in cuts if cut < len(text)), 0, len(text)})):
        match = matcher.feed(state, text[start:end])
        state = match.state
        found += match.spans
    return found + matcher.finish(state)
