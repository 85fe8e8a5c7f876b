"""Thousands of phrases in whole texts."""

from collections.abc import Iterable, Mapping
from functools import cached_property, partial

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation

from planish.text.forms import by_form
from planish.text.phrases import PhraseMatcher
from planish.text.span import Span
from planish.text.words import fold, is_word, straighten

# The parts of a span: plain tuples are sorted faster.
_Parts = tuple[int, int, str]
_span = partial(tuple.__new__, Span)


class WholePhrases(PhraseMatcher):
    """A `PhraseMatcher` that finds the same in a text that is there as a whole, and much faster."""

    def __init__(
        self, phrases: Iterable[str] | Mapping[str, str], case_sensitive: bool = False, whole_words: bool = True
    ) -> None:
        self._forms = by_form(phrases)
        self._case_sensitive, self._whole_words = case_sensitive, whole_words
        super().__init__(self._forms, case_sensitive, whole_words)

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones included, in order."""
        try:
            found = [parts for finder in self._finders for parts in finder.find(text)]
        except UnicodeEncodeError:
            # What reads UTF-8 reads no lone surrogates.
            return sorted(super().locate(text))
        return list(map(_span, sorted(found)))

    @cached_property
    def _finders(self) -> list["_WordFinder | _AnyFinder"]:
        """One for what can be found at full speed and one for the rest, made for the first whole text."""
        folding = straighten if self._case_sensitive else fold
        rules: dict[str, str] = {}
        for phrase, rule in self._forms.items():
            sought, name = (phrase.strip(), rule.strip()) if self._whole_words else (phrase, rule)
            if sought:
                rules.setdefault(folding(sought), name)
        words, others = dict[str, str](), dict[str, str]()
        for phrase, rule in rules.items():
            if self._whole_words and not _reduced(phrase).isspace():
                words[phrase] = rule
            else:
                others[phrase] = rule
        return [
            *([_WordFinder(words, self._case_sensitive)] if words else []),
            *([_AnyFinder(others, self._case_sensitive, self._whole_words)] if others else []),
        ]


class _WordFinder:
    """Phrases of whole words, with letters or digits of ASCII.

    Texts and phrases are reduced to these, in lower case and a byte a character, with blanks for everything else. What
    is found so is compared with the phrase.
    """

    def __init__(self, rules: Mapping[str, str], case_sensitive: bool) -> None:
        self._fold = straighten if case_sensitive else fold
        patterns: list[bytes] = []
        self._phrases: list[tuple[int, int, str | None, str]] = []
        for phrase, rule in rules.items():
            reduced = _reduced(phrase)
            # A blank has to stand where the word would go on, unless one does already.
            before, after = int(reduced[:1] != b" "), int(reduced[-1:] != b" ")
            patterns.append(b" " * before + reduced + b" " * after)
            # Nothing is left to compare where nothing was reduced.
            is_known = phrase.isascii() and phrase.isalnum() and not case_sensitive
            self._phrases.append((before, after, None if is_known else phrase, rule))
        self._automaton = BytesAhoCorasick(patterns, implementation=Implementation.ContiguousNFA)

    def find(self, text: str) -> list[_Parts]:
        """All that stand in a text."""
        phrases, of_word, folding = self._phrases, _OF_WORD, self._fold
        # One blank more behind than is read, so that there is always a character behind what is found.
        padded = f" {text}  "
        matches = self._automaton.find_matches_as_indexes(_reduced(padded[:-1]), overlapping=True)
        found: list[_Parts] = []
        for number, first, last in matches:
            before, after, phrase, rule = phrases[number]
            start, end = first + before, last - after
            # Letters beyond ASCII are blanks too, but are words.
            if of_word[padded[start - 1]] and of_word[padded[start]]:
                continue
            if of_word[padded[end]] and of_word[padded[end - 1]]:
                continue
            if phrase is None or (said := padded[start:end]) == phrase or folding(said) == phrase:
                found.append((start - 1, end - 1, rule))
        return found


class _AnyFinder:
    """Phrases of any characters."""

    def __init__(self, rules: Mapping[str, str], case_sensitive: bool, whole_words: bool) -> None:
        self._fold = straighten if case_sensitive else fold
        self._whole_words = whole_words
        # What has a lone surrogate stands only in texts that are refused.
        encodable = {phrase: rule for phrase, rule in rules.items() if not _has_surrogate(phrase)}
        self._rules = list(encodable.values())
        self._automaton = AhoCorasick(encodable, implementation=Implementation.ContiguousNFA)

    def find(self, text: str) -> list[_Parts]:
        """All that stand in a text.

        Raises:
            UnicodeEncodeError: the text has a lone surrogate.
        """
        folded = self._fold(text)
        rules, of_word, padded = self._rules, _OF_WORD, f" {folded} "
        matches = self._automaton.find_matches_as_indexes(folded, overlapping=True)
        if not self._whole_words:
            return [(start, end, rules[number]) for number, start, end in matches]
        # Padded, the characters around place `at` are those at `at` and `at + 1`: of words both, they are one word.
        return [
            (start, end, rules[number])
            for number, start, end in matches
            if not (of_word[padded[start]] and of_word[padded[start + 1]])
            and not (of_word[padded[end + 1]] and of_word[padded[end]])
        ]


class _OfWord(dict[str, bool]):
    """Whether a character is one that words are made of, remembered of those that were met."""

    def __missing__(self, char: str) -> bool:
        self[char] = is_word(char)
        return self[char]


_OF_WORD = _OfWord()
_REDUCED = bytes(ord(char.lower()) if is_word(char) else ord(" ") for char in map(chr, range(128))).ljust(256)


def _reduced(text: str) -> bytes:
    """A byte for each character: a letter or digit of ASCII, or a blank."""
    # But for these two, what has a character of ASCII for its lower case is one.
    ascii_only = straighten(text).replace("\N{KELVIN SIGN}", "k").encode("ascii", "replace")
    return ascii_only.translate(_REDUCED)


def _has_surrogate(phrase: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in phrase)
