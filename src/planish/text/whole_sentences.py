"""Rules that hold within one sentence, in whole texts."""

import re
from bisect import bisect_right
from collections import defaultdict
from functools import cached_property
from itertools import pairwise

from planish.text.ngrams import NgramMatcher
from planish.text.regexes import WINDOW, RegexMatcher
from planish.text.sentences import CLOSERS, MARKS
from planish.text.span import Span
from planish.text.whole_phrases import WholePhrases
from planish.text.words import WORD, fold, is_alone

# `SENTENCE_END`, said so that it begins with one set of characters, which is searched for many times as fast.
_SENTENCE_END = re.compile(rf"[{MARKS}\n](?:(?<=\n)|[{re.escape(CLOSERS)}]*\s)")
_SURROGATE = re.compile("[\ud800-\udfff]")


class WholeNgrams(NgramMatcher):
    """An `NgramMatcher` that finds the same in a whole text: it reads sentences with all words of an n-gram."""

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones included."""
        matcher, by_key = self._keys
        begins = _sentence_begins(text)
        keys: defaultdict[int, set[str]] = defaultdict(set)
        for span in matcher.locate(text):
            keys[bisect_right(begins, span.start) - 1].add(span.rule)
        found: list[Span] = []
        for at, own in keys.items():
            sentence = fold(text[begins[at] : begins[at + 1]])
            if any(all(word in sentence for word in ngram) for key in own for ngram in by_key[key]):
                found += _shifted(self._in_sentence(sentence), begins[at])
        return found

    def _in_sentence(self, sentence: str) -> list[Span]:
        spans: list[Span] = []
        begun = self.start[0]
        for word in WORD.finditer(sentence):
            # In the streaming matcher, a character that is a word by itself is none that an n-gram has.
            if not is_alone(word.group()):
                begun = self._read(begun, word.group(), word.start(), word.end(), spans)
        return spans

    @cached_property
    def _keys(self) -> tuple[WholePhrases, dict[str, list[tuple[str, ...]]]]:
        """The longest word of each n-gram, as it is likely the rarest, in a matcher; and its n-grams."""
        by_key: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
        for ngram in self._rules:
            by_key[max(ngram, key=len)].append(ngram)
        return WholePhrases(by_key.keys()), by_key


class WholeRegexes(RegexMatcher):
    """A `RegexMatcher` that finds the same in a whole text: it reads each sentence as a whole.

    A lone surrogate, at which the streaming one fails, is taken for the character that stands for unreadable ones.
    """

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones included."""
        text = _SURROGATE.sub("\ufffd", text)
        begins = _sentence_begins(text)
        found: list[Span] = []
        for begin, end in pairwise(begins):
            # The white space that ends a sentence is no part of it, nor is what stands before it.
            sentence = text[begin : end - 1].lstrip()
            if not sentence or not self._any.Match(sentence.encode()):
                continue
            if len(sentence) < WINDOW:
                start = end - 1 - len(sentence)
                self._search(self.start._replace(window=sentence, start=start), found, is_whole=True)
            else:
                found += _shifted(super().locate(text[begin:end]), begin)
        return found


def _sentence_begins(text: str) -> list[int]:
    """Where each sentence begins, and behind the last where one would if a new line ended it."""
    return [0, *(end.end() for end in _SENTENCE_END.finditer(f"{text}\n"))]


def _shifted(spans: list[Span], by: int) -> list[Span]:
    return [Span(start + by, end + by, rule) for start, end, rule in spans]
