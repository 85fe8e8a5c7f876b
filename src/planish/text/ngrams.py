"""Thousands of n-grams in a stream of text: content words in a row, whatever function words stand between them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from planish.errors import UsageError
from planish.text.advancing import AdvancingMatcher
from planish.text.forms import by_form
from planish.text.runs import RUNS
from planish.text.sentences import CLOSERS, MARKS
from planish.text.span import Span
from planish.text.words import FUNCTION_WORDS, words

# What may stand inside a word, folded.
JOINTS = "'-"


class _Word(NamedTuple):
    text: str
    start: int


# The longest beginning of an n-gram that the latest content words are; the word that came behind it and may go on, and
# where it began; what stands behind that and may be inside a word; whether white space would end the sentence; and how
# many characters were seen.
_State = tuple[tuple[_Word, ...], str, int, str, bool, int]


class NgramMatcher(AdvancingMatcher):
    """Finds content words that stand one after the other in one sentence; case-insensitive, whole words only.

    Function words and punctuation may stand between them, before and after them nothing is looked at. A span covers the
    first to the last content word. N-grams come with the rule that is reported for each, or are their own rules; of
    n-grams that say the same the first is reported.

    Raises:
        UsageError: an n-gram has no content word.
    """

    start: _State = ((), "", 0, "", False, 0)

    def __init__(self, ngrams: Iterable[str] | Mapping[str, str]) -> None:
        self._rules: dict[tuple[str, ...], str] = {}
        for ngram, rule in by_form(ngrams).items():
            self._rules.setdefault(_content_words(ngram), rule)
        self._beginnings = {content[:length] for content in self._rules for length in range(len(content))} | {()}
        self._words = {word for content in self._rules for word in content}
        self._openings = {content[0][:end] for content in self._rules for end in range(1, len(content[0]) + 1)}
        self._longest = max(map(len, self._words | FUNCTION_WORDS))

    def advance(self, state: _State, text: str, spans: list[Span]) -> tuple[_State, int]:
        """See `AdvancingMatcher`."""
        begun, word, start, joint, marked, seen = state
        for run, in_word in RUNS[text]:
            if in_word:
                if word:
                    word += joint + run
                    joint = ""
                else:
                    word, start, marked = run, seen, False
            elif word and not joint and run in JOINTS:
                joint = run
            else:
                if word:
                    begun = self._read(begun, word, start, seen - len(joint), spans)
                    word = joint = ""
                ends, marked = _ends_sentence(run, marked)
                if ends:
                    begun = ()
            seen += len(run)
        if len(word) > self._longest:
            # Such a word does not count, and what is kept of it must not grow with the text.
            word = word[: self._longest + 1]
        held_from = begun[0].start if begun else start if word in self._openings else seen
        return (begun, word, start, joint, marked, seen), seen - held_from

    def finish(self, state: _State) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        begun, word, start, joint, _, seen = state
        spans: list[Span] = []
        if word:
            self._read(begun, word, start, seen - len(joint), spans)
        return spans

    def _read(self, begun: tuple[_Word, ...], word: str, start: int, end: int, spans: list[Span]) -> tuple[_Word, ...]:
        """Go on by one whole word: add the spans that it completes, and return what is begun now."""
        if word not in self._words:
            return begun if word in FUNCTION_WORDS else ()
        begun = (*begun, _Word(word, start))
        content = tuple(each.text for each in begun)
        for at, first in enumerate(begun):
            if content[at:] in self._rules:
                spans.append(Span(first.start, end, self._rules[content[at:]]))
        return next(begun[at:] for at in range(len(begun) + 1) if content[at:] in self._beginnings)


def _ends_sentence(char: str, marked: bool) -> tuple[bool, bool]:
    """Whether a sentence ends here, and whether white space would end it next."""
    if char.isspace():
        return marked or char == "\n", False
    return False, char in MARKS or (marked and char in CLOSERS)


def _content_words(ngram: str) -> tuple[str, ...]:
    content = tuple(word for word in words(ngram) if word not in FUNCTION_WORDS)
    if not content:
        raise UsageError(f"the n-gram {ngram!r} has no content word", 'make it a phrase: "kind": "phrase"')
    return content
