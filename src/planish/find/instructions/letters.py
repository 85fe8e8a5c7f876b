"""Which letters a text is to have, and where."""

import random
from collections.abc import Iterator
from itertools import groupby
from typing import Self

from planish.find.instructions.constraint import Constraint, Count, Counting, Letter, Word
from planish.find.instructions.demands import BEGINNING, NONE, OPENERS, PROSE_ONLY, Demands, at_least, character
from planish.find.instructions.edits import inner_words, replaced, with_sentence, without, word_spans
from planish.find.instructions.parts import lines, sentence_spans, sentences
from planish.text.span import Span
from planish.text.words import fold, words

# A word that can stand anywhere, for most letters that a word may begin with.
_FILLERS = (
    "also",
    "but",
    "certainly",
    "duly",
    "even",
    "fairly",
    "just",
    "maybe",
    "now",
    "only",
    "quite",
    "then",
    "very",
)


class _LetterCount(Constraint):
    """One letter so many times."""

    group = "letters"
    letter: Letter
    count: Count

    def _times(self, text: str) -> int:
        return fold(text).count(self.letter)

    def _with(self, draws: random.Random, text: str) -> Iterator[str]:
        """The text with one more word that has the letter."""
        having = [filler for filler in _FILLERS if self.letter in filler]
        own = [span.rule for span in word_spans(text) if self.letter in fold(span.rule)][:8]
        for filler in draws.sample(having, len(having)) or own:
            yield from (f"{text[: span.start]}{filler} {text[span.start :]}" for span in inner_words(text, draws))

    def _with_fewer(self, text: str, count: int) -> str:
        """The text without as many words as need be gone."""
        gone = 0
        too_many = self._times(text) - count
        for span in reversed([span for span in word_spans(text) if self.letter in fold(span.rule)]):
            if gone >= too_many:
                break
            text = without(text, span)
            gone += fold(span.rule).count(self.letter)
        return text


class LetterAtLeast(_LetterCount):
    """One letter so many times or more, in either case, wherever it stands in a word."""

    name = "letter_at_least"
    wordings = (
        'Use the letter "{letter}" at least {count:time}, counting capitals too.',
        'The letter "{letter}", small or capital, should be found {count:time} or more.',
    )

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(letter=draws.choice("bkvwjxqz"), count=draws.choice((4, 6, 8)))

    def _is_met(self, text: str) -> bool:
        return self._times(text) >= self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield self._with_fewer(text, self.count - 1)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        own = next((span.rule for span in word_spans(text) if self.letter in fold(span.rule)), None)
        missing = self.count - self._times(text)
        if own and missing <= 4:
            yield with_sentence(text, " ".join([own.capitalize(), *[own] * (missing - 1)]) + ".")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(self.letter): at_least(self.count)}


class LetterAtMost(_LetterCount):
    """One letter so many times or fewer, in either case, wherever it stands in a word."""

    name = "letter_at_most"
    wordings = (
        'Use the letter "{letter}" at most {count:time}, counting capitals too.',
        'The letter "{letter}", small or capital, may be found {count:time} at most.',
    )

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(letter=draws.choice("etaoinsrhld"), count=draws.choice((3, 5, 8)))

    def _is_met(self, text: str) -> bool:
        return self._times(text) <= self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        for _ in range(self.count + 1):
            yield from (more := list(self._with(draws, text)))
            text = more[0] if more else text
        yield with_sentence(text, self.letter.upper() + self.letter * self.count + ".")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        if self._times(text) <= 2 * self.count:
            yield self._with_fewer(text, self.count)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(self.letter): (0, self.count)}


class NoLetter(Constraint):
    """One letter nowhere, in neither case."""

    name, group = "no_letter", "letters"
    wordings = (
        'Do not use the letter "{letter}", neither small nor capital.',
        'No word of your reply may have the letter "{letter}" in it, in either case.',
    )
    letter: Letter

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(letter=draws.choice("etaoinsrbcfgkmpvwy"))

    def _is_met(self, text: str) -> bool:
        return self.letter not in fold(text)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        having = [filler for filler in _FILLERS if self.letter in filler] or [self.letter]
        for span in inner_words(text, draws):
            yield f"{text[: span.start]}{draws.choice(having)} {text[span.start :]}"
        yield with_sentence(text, f"{draws.choice(having).capitalize()}.")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        having = [span for span in word_spans(text) if self.letter in fold(span.rule)]
        if len(having) <= 3:
            for span in reversed(having):
                text = without(text, span)
            yield text

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(self.letter): NONE}


class SentencesBeginWithLetter(Constraint):
    """Every sentence, of which there are at least two, begins with a word with one first letter, in either case."""

    name, group = "sentences_begin_with_letter", "letters"
    claims = frozenset({BEGINNING, OPENERS})
    wordings = (
        'Write two or more sentences, each of which begins with the letter "{letter}".',
        'Begin every sentence with the letter "{letter}"; there must be at least two.',
    )
    letter: Letter

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(letter=draws.choice("abcdfhimorstw"))

    def _is_met(self, text: str) -> bool:
        parts = sentences(text)
        return len(parts) > 1 and all(words(part)[0].startswith(self.letter) for part in parts)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        spans = sentence_spans(text)
        for span in draws.sample(spans, min(len(spans), 8)):
            opener = "so" if self.letter != "s" else "but"
            first = word_spans(text[span.start : span.end])[0]
            moved = Span(span.start + first.start, span.start + first.end, first.rule)
            yield replaced(text, moved, f"{opener} {first.rule}")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(self.letter): at_least(2), "sentences": at_least(2), **PROSE_ONLY}


class NoLongWords(Counting):
    """No word has more than so many characters; hyphens and apostrophes inside it count too."""

    name, group, counts = "no_words_longer_than", "letters", (6, 7, 8)
    wordings = (
        "Use no word of more than {count:character}, hyphens and apostrophes included.",
        "Keep every word to {count:character} or fewer, with hyphens and apostrophes counted.",
    )

    def _is_met(self, text: str) -> bool:
        return all(len(word) <= self.count for word in words(text))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        fillers = [filler for filler in (*_FILLERS, "undoubtedly", "incontrovertibly") if len(filler) > self.count]
        filler = min(fillers, key=len, default="a" * (self.count + 1))
        for span in inner_words(text, draws):
            yield f"{text[: span.start]}{filler} {text[span.start :]}"
        yield with_sentence(text, f"{filler.capitalize()}.")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        long = [span for span in word_spans(text) if len(span.rule) > self.count]
        if len(long) <= 5:
            for span in reversed(long):
                text = without(text, span)
            yield text

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"letters a word": (1, self.count)}


class Alliteration(Counting):
    """At least so many words one after the other begin with the same letter, in either case."""

    name, group, counts = "alliteration", "letters", (3, 4, 5)
    wordings = (
        "Somewhere, let {count:word} in a row begin with the same letter.",
        "Bring in an alliteration: {count:word} or more, one after the other, with the same first letter.",
    )

    def _is_met(self, text: str) -> bool:
        runs = groupby(word_spans(text), key=lambda span: fold(span.rule[0]))
        return any(letter.isalpha() and sum(1 for _ in run) >= self.count for letter, run in runs)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        parts, end, letter, length = [], 0, "", 0
        for span in word_spans(text):
            letter, length = (first := fold(span.rule[0])), length + 1 if first == letter else 1
            if length == self.count:
                parts += [text[end : span.start], "and " if letter != "a" else "but "]
                end, length = span.start, 1
        yield "".join([*parts, text[end:]])

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        names = ("Peter", "Paula", "Patrick", "Pia", "Paul", "Pedro", "Pam")
        if self.count <= len(names):
            yield with_sentence(text, " ".join(names[: self.count]) + ".")


class Acrostic(Constraint):
    """The first letters of the lines, blank ones left aside, spell a word, in any case."""

    name, group = "acrostic", "letters"
    claims = frozenset({BEGINNING})
    wordings = (
        'Let the first letters of your lines spell "{keyword}", a letter a line, and write no other lines.',
        'Write an acrostic on "{keyword}": as many lines as it has letters, each beginning with its letter.',
    )
    keyword: Word

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(keyword=draws.choice(("sun", "tree", "hope", "moon", "rain", "star", "bread", "ocean")))

    def _is_met(self, text: str) -> bool:
        firsts = [next((char for char in fold(line) if char.isalnum()), "") for line in lines(text)]
        return firsts == list(self.keyword)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        own = lines(text)
        for number in draws.sample(range(len(own)), len(own)):
            opener = "So" if self.keyword[number] != "s" else "But"
            yield "\n".join([*own[:number], f"{opener} {own[number]}", *own[number + 1 :]])

    def demands(self) -> Demands:
        """See `Constraint`."""
        count = len(self.keyword)
        letters = {character(letter): at_least(1) for letter in self.keyword}
        return {**letters, "lines": (count, count), **PROSE_ONLY}


KINDS: tuple[type[Constraint], ...] = (
    LetterAtLeast,
    LetterAtMost,
    NoLetter,
    SentencesBeginWithLetter,
    NoLongWords,
    Alliteration,
    Acrostic,
)
