"""Where words are to stand."""

import random
from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

from planish.find.instructions.constraint import Constraint, Count, Word
from planish.find.instructions.demands import (
    BEGINNING,
    END,
    LONE_LINES,
    NONE,
    OPENERS,
    PROSE_ONLY,
    Demands,
    at_least,
    said,
)
from planish.find.instructions.edits import (
    replaced,
    topic_words,
    with_sentence,
    without,
    without_words,
    word_spans,
)
from planish.find.instructions.parts import paragraphs, sentence_spans, sentences
from planish.text.sentences import CLOSERS, MARKS
from planish.text.words import fold, words


class FirstWord(Constraint):
    """The first word, in any case."""

    name, group = "first_word", "keywords"
    claims = frozenset({BEGINNING})
    wordings = ('Your first word must be "{keyword}".', 'Start with the word "{keyword}".')
    keyword: Word

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(keyword=draws.choice((*topic_words(draws, content, 2), "perhaps", "once", "today", "because")))

    def _is_met(self, text: str) -> bool:
        return words(text)[0] == self.keyword

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        first, *_ = word_spans(text)
        yield replaced(text, first, f"so {first.rule}")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield f"{self.keyword.capitalize()}: {text}"

    def demands(self) -> Demands:
        """See `Constraint`."""
        return said(self.keyword)


class LastWord(Constraint):
    """The last word, in any case; only punctuation may follow it."""

    name, group = "last_word", "keywords"
    claims = frozenset({END})
    wordings = ('Your last word must be "{keyword}".', 'Let the very last word be "{keyword}".')
    keyword: Word

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(keyword=draws.choice((*topic_words(draws, content, 2), "again", "end", "tomorrow", "home")))

    def _is_met(self, text: str) -> bool:
        return words(text)[-1] == self.keyword

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        last = word_spans(text)[-1]
        yield replaced(text, last, f"{last.rule} now")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield with_sentence(text, f"{self.keyword.capitalize()}.")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return said(self.keyword)


class WordBeforeWord(Constraint):
    """Two words that both stand in the text, one before the other the first time each is used."""

    name, group = "word_before_word", "keywords"
    wordings = (
        'Use both "{first}" and "{second}", with "{first}" coming up first.',
        'Mention "{first}" before you mention "{second}" for the first time; both have to be there.',
    )
    first: Word
    second: Word

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.first == self.second:
            raise ValueError("first and second must be different words")
        return self

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        first, second = topic_words(draws, content, 2)
        return cls(first=first, second=second)

    def _is_met(self, text: str) -> bool:
        order = words(text)
        return self.first in order and self.second in order and order.index(self.first) < order.index(self.second)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield self._exchanged(text)
        yield without_words(text, [self.second])

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield self._exchanged(text)
        text = text if self.first in words(text) else f"{self.first.capitalize()}: {text}"
        yield text
        yield with_sentence(text, f"Think of {self.second}.")

    def _exchanged(self, text: str) -> str:
        other = {self.first: self.second, self.second: self.first}
        for span in reversed([span for span in word_spans(text) if fold(span.rule) in other]):
            text = replaced(text, span, other[fold(span.rule)])
        return text

    def demands(self) -> Demands:
        """See `Constraint`."""
        return said(f"{self.first} {self.second}")


class _Everywhere(Constraint):
    """One word in every part."""

    group = "keywords"
    keyword: Word

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(keyword=topic_words(draws, content, 1)[0])

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        spans = word_spans(text, self.keyword)
        for span in draws.sample(spans, min(len(spans), 8)):
            yield without(text, span)


class EverySentenceContains(_Everywhere):
    """One word in every sentence, in at least two of them."""

    name = "every_sentence_contains"
    wordings = (
        'Write two or more sentences, each with the word "{keyword}" in it.',
        'No sentence may do without the word "{keyword}", and there must be at least two.',
    )

    def _is_met(self, text: str) -> bool:
        parts = sentences(text)
        return len(parts) > 1 and all(self.keyword in words(part) for part in parts)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        for span in reversed(sentence_spans(text)):
            sentence = text[span.start : span.end]
            if self.keyword not in words(sentence):
                bare = sentence.rstrip(CLOSERS + MARKS)
                text = f"{text[: span.start]}{bare}, {self.keyword}{sentence[len(bare) :]}{text[span.end :]}"
        yield text

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {**said(self.keyword, 2), "sentences": at_least(2), **PROSE_ONLY}


class EveryParagraphContains(_Everywhere):
    """One word in every paragraph, in at least two of them."""

    name = "every_paragraph_contains"
    wordings = (
        'Write two or more paragraphs with blank lines between, each with the word "{keyword}" in it.',
        'The word "{keyword}" belongs into every paragraph; there must be at least two, with a blank line between.',
    )

    def _is_met(self, text: str) -> bool:
        parts = paragraphs(text)
        return len(parts) > 1 and all(self.keyword in words(part) for part in parts)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield "\n\n".join(
            part if self.keyword in words(part) else with_sentence(part, f"Think of {self.keyword}.")
            for part in paragraphs(text)
        )

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {**said(self.keyword, 2), "paragraphs": at_least(2), LONE_LINES: NONE}


class ParagraphBegins(Constraint):
    """The first word of one paragraph, in any case; blank lines are between paragraphs, which are counted from 1."""

    name, group = "paragraph_begins", "keywords"
    claims = frozenset({OPENERS})
    wordings = (
        'Begin paragraph number {number} with the word "{keyword}"; blank lines part paragraphs.',
        'Put blank lines between paragraphs, and let number {number} of them open with the word "{keyword}".',
    )
    number: Count
    keyword: Word

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(number=draws.choice((2, 3)), keyword=topic_words(draws, content, 1)[0])

    def _is_met(self, text: str) -> bool:
        parts = paragraphs(text)
        return len(parts) >= self.number and words(parts[self.number - 1])[0] == self.keyword

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        parts = paragraphs(text)
        part = parts[self.number - 1]
        parts[self.number - 1] = replaced(part, word_spans(part)[0], f"so {self.keyword}")
        yield "\n\n".join(parts)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        parts = paragraphs(text)
        if len(parts) >= self.number:
            parts[self.number - 1] = f"{self.keyword.capitalize()}: {parts[self.number - 1]}"
            yield "\n\n".join(parts)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {**said(self.keyword), "paragraphs": at_least(self.number), LONE_LINES: NONE}


KINDS: tuple[type[Constraint], ...] = (
    FirstWord,
    LastWord,
    WordBeforeWord,
    EverySentenceContains,
    EveryParagraphContains,
    ParagraphBegins,
)
