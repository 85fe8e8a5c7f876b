"""Rules of every kind in one stream of text."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from planish.text.matcher import Match
from planish.text.ngrams import NgramMatcher
from planish.text.phrases import PhraseMatcher
from planish.text.regexes import RegexMatcher
from planish.text.span import Span

State = tuple[Any, ...]


class RuleMatcher:
    """Phrases, n-grams and regexes side by side, given as (text, kind) with the kinds of `BanRule`.

    Raises:
        UsageError: an n-gram has no content word, or RE2 refuses a regex.
    """

    def __init__(self, rules: Iterable[tuple[str, str]]) -> None:
        texts: dict[str, list[str]] = {"phrase": [], "ngram": [], "regex": []}
        for text, kind in rules:
            texts[kind].append(text)
        # A kind without rules would only cost time.
        self._matchers = [
            matcher(texts[kind])
            for kind, matcher in (("phrase", PhraseMatcher), ("ngram", NgramMatcher), ("regex", RegexMatcher))
            if texts[kind]
        ]
        self.start: State = tuple(matcher.start for matcher in self._matchers)

    def feed(self, state: State, text: str) -> Match:
        """What the next characters complete; see `Matcher`."""
        matches = [matcher.feed(own, text) for matcher, own in zip(self._matchers, state, strict=True)]
        return Match(
            state=tuple(match.state for match in matches),
            spans=_in_order(match.spans for match in matches),
            held_chars=max((match.held_chars for match in matches), default=0),
        )

    def finish(self, state: State) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        return _in_order(matcher.finish(own) for matcher, own in zip(self._matchers, state, strict=True))

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones included."""
        return _in_order(matcher.locate(text) for matcher in self._matchers)


def _in_order(found: Iterable[Sequence[Span]]) -> list[Span]:
    return sorted(chain.from_iterable(found))
