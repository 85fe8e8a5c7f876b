"""How long a text is to be."""

import math
import random
from collections.abc import Iterator
from typing import ClassVar, Self

from pydantic import model_validator

from planish.find.instructions.constraint import Constraint, Count, Counting
from planish.find.instructions.demands import LONE_LINES, NONE, Demands
from planish.find.instructions.units import CHARACTERS, LINES, PARAGRAPHS, SENTENCES, WORDS, Unit

# The greatest part of what a text should have that is added to it: more is no small change.
_MOST_ADDED = 0.5


class Length(Constraint):
    """So much of a unit."""

    group = "length"
    unit: ClassVar[Unit]
    # What counts are drawn from.
    counts: ClassVar[tuple[int, ...]]

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most that holds."""
        raise NotImplementedError

    def _is_met(self, text: str) -> bool:
        least, most = self.bounds
        return least <= self.unit.count(text) <= most

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        """One too few, or one too many."""
        least, most = self.bounds
        wanted = [least - 1, most + 1]
        draws.shuffle(wanted)
        yield from self._resized(text, wanted)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        """Just enough, or just not too many."""
        yield from self._resized(text, list(self.bounds))

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {f"{self.unit.name}s": self.bounds}

    def _resized(self, text: str, counts: list[float]) -> Iterator[str]:
        now = self.unit.count(text)
        by_change = sorted((count for count in counts if 0 < count < math.inf), key=lambda count: abs(count - now))
        yield from (
            self.unit.resized(text, int(count)) for count in by_change if count - now <= max(3, count * _MOST_ADDED)
        )


class AtLeast(Counting, Length):
    """The fewest."""

    @property
    def bounds(self) -> tuple[float, float]:
        """See `Length`."""
        return self.count, math.inf


class AtMost(AtLeast):
    """The most."""

    @property
    def bounds(self) -> tuple[float, float]:
        """See `Length`."""
        return 1, self.count


class Exactly(AtLeast):
    """No more and no fewer."""

    @property
    def bounds(self) -> tuple[float, float]:
        """See `Length`."""
        return self.count, self.count


class Between(Length):
    """From the fewest to the most."""

    least: Count
    most: Count

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise ValueError("least must not be above most")
        return self

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        least, most = sorted(draws.sample(cls.counts, 2))
        return cls(least=least, most=most)

    @property
    def bounds(self) -> tuple[float, float]:
        """See `Length`."""
        return self.least, self.most


class AtLeastWords(AtLeast):
    """So many words or more; "don't" and "well-known" are one each."""

    name, unit, counts = "at_least_words", WORDS, (60, 80, 100, 150, 200, 300)
    wordings = (
        "Use at least {count:word}.",
        "Your reply should be {count:word} long or longer.",
        "Do not stop before you have written {count:word}.",
    )


class AtMostWords(AtMost):
    """So many words or fewer."""

    name, unit, counts = "at_most_words", WORDS, (20, 30, 40, 50, 75, 100)
    wordings = (
        "Use at most {count:word}.",
        "Stay within {count:word}.",
        "Keep the whole reply to {count:word} or fewer.",
    )


class ExactlyWords(Exactly):
    """So many words, counted to the word."""

    name, unit, counts = "exactly_words", WORDS, (10, 12, 15, 20, 25, 30, 40)
    wordings = ("Use exactly {count:word}.", "Your reply must have {count:word}, no more and no fewer.")


class BetweenWords(Between):
    """From `least` to `most` words, both included."""

    name, unit, counts = "between_words", WORDS, (20, 40, 60, 90, 120, 160, 200)
    wordings = (
        "Write no fewer than {least} and no more than {most} words.",
        "Aim for a length from {least} to {most} words; both ends are allowed.",
    )


class AtLeastSentences(AtLeast):
    """So many sentences or more; a new line ends a sentence, the full stop of an abbreviation does not."""

    name, unit, counts = "at_least_sentences", SENTENCES, (5, 6, 8, 10, 12)
    wordings = ("Write {count:sentence} or more.", "There should be at least {count:sentence} in your reply.")


class AtMostSentences(AtMost):
    """So many sentences or fewer."""

    name, unit, counts = "at_most_sentences", SENTENCES, (2, 3, 4)
    wordings = ("Write {count:sentence} at most.", "Say it in no more than {count:sentence}.")


class ExactlySentences(Exactly):
    """So many sentences, no more and no fewer."""

    name, unit, counts = "exactly_sentences", SENTENCES, (2, 3, 4, 5, 6)
    wordings = ("Write exactly {count:sentence}.", "The reply is to be made of {count:sentence}, not one more or less.")


class AtLeastParagraphs(AtLeast):
    """So many blocks of text or more, with blank lines between them."""

    name, unit, counts = "at_least_paragraphs", PARAGRAPHS, (2, 3, 4, 5)
    wordings = (
        "Write at least {count:paragraph}, with a blank line between them.",
        "Part your reply by blank lines into {count:paragraph} or more.",
    )


class ExactlyParagraphs(Exactly):
    """So many blocks of text, with blank lines between them."""

    name, unit, counts = "exactly_paragraphs", PARAGRAPHS, (2, 3, 4, 5)
    wordings = (
        "Write exactly {count:paragraph}, with a blank line between them.",
        "Part your reply by blank lines into {count:paragraph}: not more, not fewer.",
    )

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {**super().demands(), LONE_LINES: NONE}


class AtLeastLines(AtLeast):
    """So many lines or more; blank lines do not count."""

    name, unit, counts = "at_least_lines", LINES, (2, 3, 4, 6, 8)
    wordings = (
        "Spread your reply over at least {count:line}; blank ones do not count.",
        "Write {count:line} or more, not counting blank ones.",
    )


class ExactlyLines(Exactly):
    """So many lines; blank lines do not count."""

    name, unit, counts = "exactly_lines", LINES, (2, 3, 4, 5, 6)
    wordings = (
        "Write exactly {count:line}; blank ones do not count.",
        "Your reply must fill {count:line}, leaving aside blank ones.",
    )


class AtLeastCharacters(AtLeast):
    """So many characters or more, spaces and line breaks included, but not those around the text."""

    name, unit, counts = "at_least_characters", CHARACTERS, (400, 600, 800, 1000)
    wordings = (
        "Use at least {count:character}, spaces included.",
        "Write {count:character} or more, counting the spaces.",
    )


class AtMostCharacters(AtMost):
    """So many characters or fewer, spaces and line breaks included, but not those around the text."""

    name, unit, counts = "at_most_characters", CHARACTERS, (140, 160, 200, 280)
    wordings = (
        "Use at most {count:character}, spaces included.",
        "It has to fit into {count:character}, counting the spaces.",
    )


KINDS: tuple[type[Constraint], ...] = (
    AtLeastWords,
    AtMostWords,
    ExactlyWords,
    BetweenWords,
    AtLeastSentences,
    AtMostSentences,
    ExactlySentences,
    AtLeastParagraphs,
    ExactlyParagraphs,
    AtLeastLines,
    ExactlyLines,
    AtLeastCharacters,
    AtMostCharacters,
)
