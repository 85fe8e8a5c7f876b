"""Thousands of phrases in a stream of text, at a cost per character that does not grow with their number."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from planish.text.matcher import Match
from planish.text.span import Span
from planish.text.words import fold

# Stands between a word character and its neighbour that is none, in the phrases as in the stream: so "art" is not found
# in "party", and a phrase that ends with a word is found only when the word is known to have ended.
BOUNDARY = "boundary"


class _State(NamedTuple):
    node: int = 0
    seen: int = 0
    in_word: bool = False


class PhraseMatcher:
    """An Aho–Corasick automaton over characters and word boundaries: case-insensitive, whole words only.

    Source: Aho and Corasick, Efficient string matching (1975), algorithms 1 to 3.
    """

    start = _State()

    def __init__(self, phrases: Iterable[str]) -> None:
        self.phrases = sorted({phrase.strip() for phrase in phrases if phrase.strip()})
        self._next: list[dict[str, int]] = [{}]
        self._chars = [0]  # how many characters lead to a node; boundaries are none
        self._found: list[tuple[str, ...]] = [()]
        for phrase in self.phrases:
            self._add(phrase)
        self._fail = self._failures()

    def feed(self, state: _State, text: str) -> Match:
        """What the next characters complete; see `Matcher`."""
        spans: list[Span] = []
        node, seen, in_word = state
        for char in text:
            for symbol in _symbols(char, in_word):
                if symbol is not BOUNDARY:
                    seen += 1
                node = self._step(node, symbol)
                spans.extend(self._ending(node, seen))
            in_word = _is_word(char)
        return Match(_State(node, seen, in_word), spans, self._chars[node])

    def finish(self, state: _State) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        return self._ending(self._step(state.node, BOUNDARY), state.seen) if state.in_word else []

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones included."""
        match = self.feed(self.start, text)
        return match.spans + self.finish(match.state)

    def _ending(self, node: int, end: int) -> list[Span]:
        return [Span(end - len(phrase), end, phrase) for phrase in self._found[node]]

    def _step(self, node: int, symbol: str) -> int:
        while node and symbol not in self._next[node]:
            node = self._fail[node]
        return self._next[node].get(symbol, 0)

    def _add(self, phrase: str) -> None:
        node = 0
        before = (False, *map(_is_word, phrase))
        symbols = [symbol for char, in_word in zip(phrase, before, strict=False) for symbol in _symbols(char, in_word)]
        for symbol in (*symbols, BOUNDARY) if before[-1] else symbols:
            if symbol not in self._next[node]:
                self._next[node][symbol] = len(self._next)
                self._next.append({})
                self._chars.append(self._chars[node] + (symbol is not BOUNDARY))
                self._found.append(())
            node = self._next[node][symbol]
        self._found[node] = (phrase,)

    def _failures(self) -> list[int]:
        fail = [0] * len(self._next)
        queue = deque(self._next[0].values())
        while queue:
            node = queue.popleft()
            for symbol, child in self._next[node].items():
                back = fail[node]
                while back and symbol not in self._next[back]:
                    back = fail[back]
                fail[child] = self._next[back].get(symbol, 0)
                self._found[child] += self._found[fail[child]]
                queue.append(child)
        return fail


def _symbols(char: str, in_word: bool) -> Iterator[str]:
    if _is_word(char) is not in_word:
        yield BOUNDARY
    yield fold(char)


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
