"""Where something stands in a text."""

from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """Characters `start` (included) to `end` (excluded), and the rule that found them."""

    start: int
    end: int
    rule: str


def longest_without_overlap(spans: Iterable[Span]) -> list[Span]:
    """The leftmost, then longest, of the spans, so that no character is counted twice."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept
