"""Thousands of n-grams in a stream of text: content words in a row, whatever function words stand between them."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from planish.errors import UsageError
from planish.text.matcher import Match
from planish.text.sentences import END_MARK, SENTENCE_END
from planish.text.span import Span
from planish.text.words import FUNCTION_WORDS, WORD, fold, words

_TOKEN = re.compile(rf"(?P<word>{WORD.pattern})|(?P<end>{SENTENCE_END})|{END_MARK}")
# With one of these behind it, or nothing, a word may still go on.
_JOINTS = ("", "'", "’", "-")


class _Word(NamedTuple):
    text: str
    start: int


class _State(NamedTuple):
    """`begun` is the longest beginning of an n-gram that the latest content words are.

    `unfinished` is what the next character may change, a word or a mark that may end the sentence, and `start` where
    it begins.
    """

    begun: tuple[_Word, ...] = ()
    unfinished: str = ""
    start: int = 0
    seen: int = 0


class NgramMatcher:
    """Finds content words that stand one after the other in one sentence; case-insensitive, whole words only.

    Function words and punctuation may stand between them, before and after them nothing is looked at. A span covers the
    first to the last content word.

    Raises:
        UsageError: an n-gram has no content word.
    """

    start = _State()

    def __init__(self, ngrams: Iterable[str]) -> None:
        self._rules: dict[tuple[str, ...], str] = {}
        for ngram in ngrams:
            self._rules.setdefault(_content_words(ngram), ngram)
        self._beginnings = {content[:length] for content in self._rules for length in range(len(content))} | {()}
        self._words = {word for content in self._rules for word in content}
        self._longest = max(map(len, self._words | FUNCTION_WORDS))

    def feed(self, state: _State, text: str) -> Match:
        """What the next characters complete; see `Matcher`."""
        begun, unfinished, start, seen = state
        text, shift = unfinished + text, seen - len(unfinished)
        seen = shift + len(text)
        spans: list[Span] = []
        unfinished = ""
        for token in _TOKEN.finditer(text):
            # What was unfinished may have been shortened.
            start = shift + token.start() if token.start() else start
            if _may_go_on(token):
                unfinished = self._shortened(text[token.start() :])
            elif token["word"]:
                begun = self._read(begun, _Word(fold(token["word"]), start), shift + token.end(), spans)
            elif token["end"]:
                begun = ()
        if not unfinished or not (begun or unfinished[0].isalnum() or unfinished[0] == "_"):
            unfinished, start = "", seen
        held_from = begun[0].start if begun else start
        return Match(_State(begun, unfinished, start, seen), spans, seen - held_from)

    def finish(self, state: _State) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        spans: list[Span] = []
        if word := WORD.match(state.unfinished):
            end = state.seen - len(state.unfinished) + word.end()
            self._read(state.begun, _Word(fold(word.group()), state.start), end, spans)
        return spans

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones included."""
        match = self.feed(self.start, text)
        return match.spans + self.finish(match.state)

    def _read(self, begun: tuple[_Word, ...], word: _Word, end: int, spans: list[Span]) -> tuple[_Word, ...]:
        """Go on by one whole word: add the spans that it completes, and return what is begun now."""
        if word.text in FUNCTION_WORDS:
            return begun
        if word.text not in self._words:
            return ()
        begun = (*begun, word)
        content = tuple(word.text for word in begun)
        for at, first in enumerate(begun):
            if content[at:] in self._rules:
                spans.append(Span(first.start, end, self._rules[content[at:]]))
        return next(begun[at:] for at in range(len(begun) + 1) if content[at:] in self._beginnings)

    def _shortened(self, unfinished: str) -> str:
        """A word longer than all that count, as any other such word: what is kept must not grow with the text."""
        surplus = len(unfinished) - self._longest - 2
        return unfinished[0] * self._longest + unfinished[-2:] if surplus > 0 else unfinished


def _content_words(ngram: str) -> tuple[str, ...]:
    content = tuple(word for word in words(ngram) if word not in FUNCTION_WORDS)
    if not content:
        raise UsageError(f"the n-gram {ngram!r} has no content word", 'make it a phrase: "kind": "phrase"')
    return content


def _may_go_on(token: re.Match[str]) -> bool:
    text, end = token.string, token.end()
    return not token["end"] and end >= len(text) - 1 and text[end:] in _JOINTS
