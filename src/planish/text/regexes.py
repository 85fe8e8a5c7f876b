"""Regexes in a stream of text, in time linear in the text whatever the pattern."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import re2

from planish.errors import UsageError
from planish.text.advancing import AdvancingMatcher
from planish.text.forms import by_form
from planish.text.runs import LONGEST_PIECE, MOST_PIECES
from planish.text.sentences import CLOSERS, MARKS, SENTENCE_END
from planish.text.span import Span

# So many characters of a sentence are looked at at once. A longer sentence is read in windows that overlap by half.
WINDOW = 400

# A set of patterns keeps what it has worked out about texts, starts again when this is full, and must hold one state.
SET_MEMORY_BYTES = 64 << 20

_BEFORE_AN_END = MARKS + CLOSERS
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


class _IsPlain(dict[str, bool]):
    """Whether a piece has nothing in it that ends a sentence, or would with white space behind it."""

    def __missing__(self, text: str) -> bool:
        self[text] = not any(mark in text for mark in f"{MARKS}\n")
        return self.pop(text) if len(text) > LONGEST_PIECE or len(self) > MOST_PIECES else self[text]


_IS_PLAIN = _IsPlain()


class RegexMatcher(AdvancingMatcher):
    r"""Finds matches of RE2 patterns within one sentence, case-insensitive (unless a pattern says `(?-i)`).

    Patterns come with the rule that is reported for each, or are their own rules.

    `^` and `$` are the sentence's beginning and end; as ever in RE2, `\b` and `\w` know ASCII letters only.

    Of all that a pattern could match in a sentence, what ends first is found (of that, what begins first), and then
    the same behind it: so what is found is known as soon as it is written, or one character later where a pattern has
    a `$` or a word boundary, and laziness or greed change nothing. Empty matches count as none. In sentences of more
    than `WINDOW` characters a match longer than half of that may be missed.

    Raises:
        UsageError: RE2 refuses a pattern.
    """

    start = _State()

    def __init__(self, patterns: Iterable[str] | Mapping[str, str]) -> None:
        rules = by_form(patterns)
        self._rules = list(rules.values())
        self._compiled = [_compiled(pattern) for pattern in rules]
        self._unsettled = [int(_LOOKS_BEHIND_ITS_END.search(pattern) is not None) for pattern in rules]
        self._any = _set(rules)

    def advance(self, state: tuple[Any, ...], text: str, spans: list[Span]) -> tuple[tuple[Any, ...], int]:
        """See `AdvancingMatcher`."""
        window, start, is_inside, reported = state
        if (
            _IS_PLAIN[text]
            and len(window) + len(text) <= WINDOW
            and window
            and window[-1] not in _BEFORE_AN_END
            and not self._any.Match((window := window + text).encode())
        ):
            return (window, start, is_inside, reported), len(window) - is_inside
        found: list[Span] = []
        after = _State(*state)
        # A window's length at a time, since every sentence read copies what comes behind it.
        for at in range(0, len(text), WINDOW):
            after = self._read(after, text[at : at + WINDOW], found)
        spans += sorted(found, key=lambda span: span.end)
        return after, len(after.window) - after.is_inside

    def finish(self, state: tuple[Any, ...]) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        spans: list[Span] = []
        self._search(_State(*state), spans, is_whole=True)
        return sorted(spans, key=lambda span: span.end)

    def _read(self, state: _State, text: str, spans: list[Span]) -> _State:
        """Go on by some characters, and add what they complete."""
        state = _begun(state._replace(window=state.window + text))
        while (end := _SENTENCE_END.search(state.window, 0, WINDOW)) or len(state.window) > WINDOW:
            if end:
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
        for number in sorted(self._any.Match(window.encode()) or ()):
            rule, compiled = self._rules[number], self._compiled[number]
            settled = len(window) - (0 if is_whole else self._unsettled[number])
            begin = max(reported.get(number, 0) - start, int(is_inside))
            while found := _ending_first(compiled, window, begin, settled):
                spans.append(Span(start + found[0], start + found[1], rule))
                begin = found[1]
                reported = {**reported, number: start + begin}
        return state._replace(reported=reported)


def _begun(state: _State) -> _State:
    """White space before a sentence is no part of it."""
    if state.is_inside or not state.window[:1].isspace():
        return state
    window = state.window.lstrip()
    return state._replace(window=window, start=state.start + len(state.window) - len(window))


def _ending_first(compiled: Any, text: str, begin: int, end: int) -> tuple[int, int] | None:
    """Of all non-empty matches between `begin` and `end`, the one that ends first, and of these the leftmost."""

    def match(end: int) -> tuple[int, int] | None:
        found: Iterable[tuple[int, int]] = (match.span() for match in compiled.finditer(text, begin, end))
        return next((span for span in found if span[0] < span[1]), None)

    if begin >= end or (leftmost := match(end)) is None:
        return None
    # No match ends before the leftmost begins. What has one keeps it when the text goes on: the first end is bisected.
    ends = range(leftmost[0] + 1, leftmost[1] + 1)
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


def _set(patterns: Iterable[str]) -> Any:
    """Says of a window at once which patterns are in it: of most, none."""
    options = _options()
    options.max_mem = SET_MEMORY_BYTES
    patterns_set = re2.Set.SearchSet(options)
    for pattern in patterns:
        patterns_set.Add(pattern)
    patterns_set.Compile()
    return patterns_set


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    # With the longest match, one is never lost by the text going on.
    options.longest_match = True
    options.never_capture = True
    options.log_errors = False
    return options
