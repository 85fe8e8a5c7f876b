"""Which words a text is to have, where, and how often."""

import random
import re
from collections.abc import Iterator
from typing import Self

from planish.find.instructions.constraint import Constraint, Count, Phrase, Word, Words
from planish.find.instructions.demands import (
    NONE,
    Demands,
    Range,
    said,
    word,
)
from planish.find.instructions.edits import (
    inner_words,
    topic_words,
    with_sentence,
    with_word,
    without,
    without_words,
    word_spans,
)
from planish.text.words import fold, words


class ContainsWords(Constraint):
    """Each of some words, in any case and as whole words."""

    name, group = "contains_words", "keywords"
    wordings = ("Use each of these words: {keywords}.", "Work {keywords} into your reply, word for word.")
    keywords: Words

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(keywords=topic_words(draws, content, draws.choice((2, 3))))

    def _is_met(self, text: str) -> bool:
        return set(self.keywords) <= set(words(text))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        for keyword in draws.sample(self.keywords, len(self.keywords)):
            yield without_words(text, [keyword])

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        missing = [keyword for keyword in self.keywords if keyword not in words(text)]
        yield with_sentence(text, f"Think of {' and '.join(missing)}.")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return said(" ".join(self.keywords))


class AvoidsWords(Constraint):
    """None of some words, in any case; longer words that have one inside them are free."""

    name, group = "avoids_words", "keywords"
    wordings = ("Do not use any of these words: {keywords}.", "Find a way around {keywords}: none of it may be said.")
    keywords: Words

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(keywords=topic_words(draws, content, draws.choice((2, 3))))

    def _is_met(self, text: str) -> bool:
        return set(self.keywords).isdisjoint(words(text))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_word(text, draws.choice(self.keywords), draws)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield without_words(text, self.keywords)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {word(keyword): NONE for keyword in self.keywords}


class _WordCount(Constraint):
    """One word so many times."""

    group = "keywords"
    keyword: Word
    count: Count

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(keyword=topic_words(draws, content, 1)[0], count=draws.choice((2, 3, 4)))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        spans = word_spans(text, self.keyword)
        for span in reversed(spans[self.count :]):
            text = without(text, span)
        for span in draws.sample(spans[: self.count], self.count):
            yield without(text, span)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        spans = word_spans(text, self.keyword)
        for span in reversed(spans[self.count :]):
            text = without(text, span)
        for _ in range(self.count - len(spans)):
            text = with_sentence(text, f"Think of {self.keyword}.")
        yield text


class WordAtLeast(_WordCount):
    """One word so many times or more, in any case and as a whole word."""

    name = "word_at_least"
    wordings = (
        'Use the word "{keyword}" at least {count:time}.',
        'The word "{keyword}" should come up {count:time} or more.',
    )

    def _is_met(self, text: str) -> bool:
        return words(text).count(self.keyword) >= self.count

    def demands(self) -> Demands:
        """See `Constraint`."""
        return said(self.keyword, self.count)


class WordExactly(_WordCount):
    """One word so many times, in any case and as a whole word."""

    name = "word_exactly"
    wordings = (
        'Use the word "{keyword}" exactly {count:time}.',
        'Let the word "{keyword}" appear {count:time}, not more and not less often.',
    )

    def _is_met(self, text: str) -> bool:
        return words(text).count(self.keyword) == self.count

    def demands(self) -> Demands:
        """See `Constraint`."""
        times: Range = (self.count, self.count)
        return {**said(self.keyword, self.count), word(self.keyword): times}


class PhraseExactly(Constraint):
    """A phrase so many times, in any case, without overlap and not inside a longer word."""

    name, group = "phrase_exactly", "keywords"
    wordings = (
        'Say "{phrase}" exactly {count:time}.',
        'The phrase "{phrase}" must come up {count:time}, not more and not less often.',
    )
    phrase: Phrase
    count: Count

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        phrases = ("as it were", "one step at a time", "on the other hand", "little by little", "so they say")
        return cls(phrase=draws.choice(phrases), count=draws.choice((1, 2, 3)))

    def _is_met(self, text: str) -> bool:
        return sum(1 for _ in self._found(text)) == self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        for match in self._found(text):
            first = word_spans(match.group())[-1]
            yield text[: match.start()] + without(match.group(), first) + text[match.end() :]
        yield from self._with_one_more(text, draws)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        for _ in range(self.count - sum(1 for _ in self._found(text))):
            text = next(self._with_one_more(text, draws), text)
        yield text

    def _with_one_more(self, text: str, draws: random.Random) -> Iterator[str]:
        for span in inner_words(text, draws):
            yield f"{text[: span.start]}{self.phrase} {text[span.start :]}"
        yield with_sentence(text, self.phrase.capitalize() + ".")

    def _found(self, text: str) -> Iterator[re.Match[str]]:
        return re.finditer(rf"(?<!\w){re.escape(fold(self.phrase))}(?!\w)", fold(text))

    def demands(self) -> Demands:
        """See `Constraint`."""
        return said(self.phrase, self.count)


KINDS: tuple[type[Constraint], ...] = (
    ContainsWords,
    AvoidsWords,
    WordAtLeast,
    WordExactly,
    PhraseExactly,
)
