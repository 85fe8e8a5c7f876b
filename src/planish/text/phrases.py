"""Thousands of phrases in a stream of text, at a cost per character that does not grow with their number."""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from planish.text.advancing import AdvancingMatcher
from planish.text.forms import by_form
from planish.text.runs import CASED_RUNS, RUNS, Run, Runs
from planish.text.span import Span

# The longest beginning of a phrase that was just read, the word that began behind it and may go on, and how many
# characters were seen.
_State = tuple[int, str, int]

# A word that is in no phrase, however it goes on; no symbol is like it.
UNKNOWN = "\0\0"


class PhraseMatcher(AdvancingMatcher):
    """An Aho–Corasick automaton. Its symbols are words and the characters between them.

    So "art" is not found in "party", and a phrase that ends with a word is found only when the word is known to have
    ended; white space around a phrase counts for nothing. Unless `whole_words`, every character is a symbol. Phrases
    come with the rule that is reported for each, or are their own rules; of those that say the same the first is
    reported.

    Source: Aho and Corasick, Efficient string matching (1975), algorithms 1 to 3.
    """

    start: _State = (0, "", 0)

    def __init__(
        self, phrases: Iterable[str] | Mapping[str, str], case_sensitive: bool = False, whole_words: bool = True
    ) -> None:
        folded = CASED_RUNS if case_sensitive else RUNS
        self._runs: Callable[[str], Sequence[Run]] = folded.__getitem__ if whole_words else partial(_characters, folded)
        self._next: list[dict[str, int]] = [{}]
        self._fail = array("i", [0])
        self._chars = array("i", [0])  # how many characters lead to a node
        given = ((phrase, rule) for phrase, rule in by_form(phrases).items() if phrase)
        if whole_words:
            given = ((phrase.strip(), rule.strip()) for phrase, rule in given if phrase.strip())
        self._found = self._ends([(self._runs(phrase), rule) for phrase, rule in given])
        self._openings = _Openings(self._next)

    def advance(self, state: _State, text: str, spans: list[Span]) -> tuple[_State, int]:
        """See `AdvancingMatcher`."""
        node, word, seen = state
        for run, in_word in self._runs(text):
            if in_word:
                word += run
            else:
                if word:
                    node, word = self._step(node, word), ""
                    if node in self._found:
                        spans += self._ending(node, seen)
                node = self._step(node, run)
                if node in self._found:
                    spans += self._ending(node, seen + 1)
            seen += len(run)
        if not word:
            return (node, "", seen), self._chars[node]
        back = node
        while word not in self._openings[back]:
            if not back:
                # No phrase has such a word: whatever is written behind it, nothing can be found with it.
                return (0, UNKNOWN, seen), 0
            back = self._fail[back]
        # No longer beginning of a phrase goes on with this word.
        return (back, word, seen), self._chars[back] + len(word)

    def finish(self, state: _State) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        node, word, seen = state
        return self._ending(self._step(node, word), seen) if word else []

    def _step(self, node: int, text: str) -> int:
        while (after := self._next[node].get(text)) is None:
            if not node:
                return 0
            node = self._fail[node]
        return after

    def _ending(self, node: int, end: int) -> list[Span]:
        return [Span(end - chars, end, rule) for chars, rule in self._found.get(node, ())]

    def _ends(self, phrases: Sequence[tuple[Sequence[Run], str]]) -> dict[int, tuple[tuple[int, str], ...]]:
        """Grow the automaton level by level, and return what is found at each node: how many characters, which rule.

        All nodes of a level are there before the next, so what a new node falls back to always is.
        """
        ends: dict[int, str] = {}
        growing = [(0, symbols, rule) for symbols, rule in phrases]
        level = 0
        while growing:
            longer = []
            for node, symbols, rule in growing:
                if level == len(symbols):
                    ends.setdefault(node, rule)
                else:
                    longer.append((self._child(node, symbols[level][0]), symbols, rule))
            growing = longer
            level += 1
        found: dict[int, tuple[tuple[int, str], ...]] = {}
        for node, back in enumerate(self._fail):
            if node in ends or back in found:
                found[node] = (*([(self._chars[node], ends[node])] if node in ends else []), *found.get(back, ()))
        return found

    def _child(self, node: int, text: str) -> int:
        if text not in self._next[node]:
            self._fail.append(self._step(self._fail[node], text) if node else 0)
            self._chars.append(self._chars[node] + len(text))
            self._next[node][text] = len(self._next)
            self._next.append({})
        return self._next[node][text]


def _characters(folded: Runs, text: str) -> list[Run]:
    return [(char, False) for run, _ in folded[text] for char in run]


class _Openings(dict[int, frozenset[str]]):
    """How the words begin that go on from a node; worked out for nodes that are met."""

    def __init__(self, following: Sequence[Mapping[str, int]]) -> None:
        super().__init__()
        self._following = following

    def __missing__(self, node: int) -> frozenset[str]:
        self[node] = frozenset(word[:end] for word in self._following[node] for end in range(1, len(word) + 1))
        return self[node]
