"""Regexes in a stream of text, in time linear in the text whatever the pattern."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import re2

from planish.errors import UsageError
from planish.text.matcher import Match
from planish.text.sentences import SENTENCE_END
from planish.text.span import Span

# So many characters of a sentence are looked at at once. A longer sentence is read in windows that overlap by half.
WINDOW = 400

_SENTENCE_END = re.compile(SENTENCE_END)
# What a pattern says with these about the end of a match depends on the character after it.
_LOOKS_BEHIND_ITS_END = re.compile(r"\\[bBz]|\$")


class _State(NamedTuple):
    """`window` begins at `start`; `is_inside` says that its first character is only there to be looked back at.

    `reported` is how far into the text a pattern (by its number) was reported in this sentence.
    """

    window: str = ""
    start: int = 0
    is_inside: bool = False
    reported: Mapping[int, int] = {}


class RegexMatcher:
    r"""Finds matches of RE2 patterns within one sentence, case-insensitive.

    `^` and `$` are the sentence's beginning and end; as ever in RE2, `\b` and `\w` know ASCII letters only.

    Of all that a pattern could match in a sentence, what ends first is found (of that, what begins first), and then
    the same behind it: so what is found is known as soon as it is written, or one character later where a pattern has
    a `$` or a word boundary, and laziness or greed change nothing. Empty matches count as none. In sentences of more
    than `WINDOW` characters a match longer than half of that may be missed.

    Raises:
        UsageError: RE2 refuses a pattern.
    """

    start = _State()

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = list(dict.fromkeys(patterns))
        self._compiled = [_compiled(pattern) for pattern in self._patterns]
        self._unsettled = [int(_LOOKS_BEHIND_ITS_END.search(pattern) is not None) for pattern in self._patterns]
        self._any = _alternation(self._patterns)

    def feed(self, state: _State, text: str) -> Match:
        """What the next characters complete; see `Matcher`."""
        spans: list[Span] = []
        # A window's length at a time, since every sentence read copies what comes behind it.
        for at in range(0, len(text), WINDOW):
            state = self._read(state, text[at : at + WINDOW], spans)
        return Match(state, sorted(spans, key=lambda span: span.end), len(state.window) - state.is_inside)

    def finish(self, state: _State) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        spans: list[Span] = []
        self._search(state, spans, is_whole=True)
        return sorted(spans, key=lambda span: span.end)

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones of different patterns included."""
        match = self.feed(self.start, text)
        return match.spans + self.finish(match.state)

    def _read(self, state: _State, text: str, spans: list[Span]) -> _State:
        """Go on by some characters, and add what they complete."""
        state = _begun(state._replace(window=state.window + text))
        while len(state.window) > WINDOW or _SENTENCE_END.search(state.window):
            if end := _SENTENCE_END.search(state.window, 0, WINDOW):
                sentence = state._replace(window=state.window[: end.end() - 1])
                self._search(sentence, spans, is_whole=True)
                state = _begun(_State(state.window[end.end() :], state.start + end.end()))
            else:
                full = self._search(state._replace(window=state.window[:WINDOW]), spans)
                # One character more than half of it, to be looked back at.
                gone = WINDOW // 2 - 1
                state = _State(state.window[gone:], state.start + gone, True, full.reported)
        return self._search(state, spans)

    def _search(self, state: _State, spans: list[Span], is_whole: bool = False) -> _State:
        """Add what the window holds and was not reported yet; `is_whole` says that the sentence ends with it."""
        window, start, is_inside, reported = state
        if self._any is not None and self._any.search(window) is None:
            return state
        for number, (pattern, compiled) in enumerate(zip(self._patterns, self._compiled, strict=True)):
            settled = len(window) - (0 if is_whole else self._unsettled[number])
            begin = max(reported.get(number, 0) - start, int(is_inside))
            while found := _ending_first(compiled, window, begin, settled):
                spans.append(Span(start + found[0], start + found[1], pattern))
                begin = found[1]
                reported = {**reported, number: start + begin}
        return state._replace(reported=reported)


def _begun(state: _State) -> _State:
    """White space before a sentence is no part of it."""
    if state.is_inside:
        return state
    window = state.window.lstrip()
    return state._replace(window=window, start=state.start + len(state.window) - len(window))


def _ending_first(compiled: Any, text: str, begin: int, end: int) -> tuple[int, int] | None:
    """Of all non-empty matches between `begin` and `end`, the one that ends first, and of these the leftmost."""

    def match(end: int) -> tuple[int, int] | None:
        found: Iterable[tuple[int, int]] = (match.span() for match in compiled.finditer(text, begin, end))
        return next((span for span in found if span[0] < span[1]), None)

    if begin >= end or match(end) is None:
        return None
    # What has a match keeps it when the text goes on, so the first end is found by bisection.
    ends = range(begin + 1, end + 1)
    return match(ends[bisect_left(ends, True, key=lambda end: match(end) is not None)])


def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(pattern, _options())
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise UsageError(
            f"the regex {pattern!r} is not in RE2 syntax: {reason}",
            "write it without look-around (?=…), (?<=…) and back-references \\1: RE2 has neither",
        ) from error


def _alternation(patterns: Sequence[str]) -> Any:
    """Says of most windows at once that no pattern is in them; None where the patterns cannot be put together."""
    try:
        return re2.compile("|".join(f"(?:{pattern})" for pattern in patterns), _options())
    except re2.error:
        return None


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    # With the longest match, one is never lost by the text going on.
    options.longest_match = True
    options.never_capture = True
    options.log_errors = False
    return options
