"""Which numbers a text is to have."""

import random
import re
from collections.abc import Iterator
from typing import Self

from planish.find.instructions.constraint import Constraint, Count
from planish.find.instructions.demands import NONE, Demands, at_least, character
from planish.find.instructions.edits import with_sentence
from planish.find.instructions.matches import ExactMatches, Matches, NoMatches

# A number in digits: "1,000", "3.5" and "12:30" are one each, "B12" is none.
_NUMBER = re.compile(r"(?<![\w.,:])\d++(?:[.,:]\d++)*+(?![^\W_])")
_NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPELLED_OUT = re.compile(rf"(?<!\w)(?:{'|'.join(_NUMBER_WORDS)})(?!\w)", re.IGNORECASE)
# A longer number is none that anybody sums.
_MOST_DIGITS = 15


class NumbersAtLeast(Matches):
    """So many numbers or more in digits; "1,000" and "3.5" are one each, "B12" and "3rd" are none."""

    name, group, counts = "numbers_at_least", "numbers", (2, 3, 4)
    wordings = ("Use at least {count:number}, in digits.", "Put {count:number} or more into it, written in digits.")
    pattern, instead = _NUMBER, "some"

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        yield with_sentence(text, f"That makes {draws.randint(2, 99)}.")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"numbers": at_least(self.count)}


class NumbersExactly(ExactMatches):
    """So many numbers in digits; "1,000" and "3.5" are one each, "B12" and "3rd" are none."""

    name, group, counts = "numbers_exactly", "numbers", (1, 2, 3)
    wordings = (
        "Use exactly {count:number}, in digits.",
        "There must be {count:number} in it, written in digits, not more and not fewer.",
    )
    pattern, instead = _NUMBER, "some"

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        yield with_sentence(text, f"That makes {draws.randint(2, 99)}.")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"numbers": (self.count, self.count)}


class SpelledNumbers(NoMatches):
    """No digit at all, and at least one number from two to twelve as a word."""

    name, group = "numbers_spelled_out", "numbers"
    wordings = (
        "Use no digits, but mention at least one number from two to twelve, spelled out.",
        "Spell numbers out: there must be no digit, and one of the words two to twelve at the least.",
    )
    pattern = re.compile(r"\d")

    def _is_met(self, text: str) -> bool:
        return super()._is_met(text) and _SPELLED_OUT.search(text) is not None

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield _SPELLED_OUT.sub(lambda match: str(_NUMBER_WORDS.index(match.group().lower()) + 2), text, count=1)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        if not self.pattern.search(text):
            yield with_sentence(text, "That makes two.")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"numbers": NONE, **{character(digit): NONE for digit in "0123456789"}}


class NumbersSum(Constraint):
    """At least two whole numbers in digits, and no other numbers, that together make a total; "1,000" is a thousand."""

    name, group = "numbers_sum", "numbers"
    claims = frozenset({"numbers"})
    wordings = (
        "Let the numbers in your reply, two or more and written in digits, add up to {total}.",
        "Use at least two whole numbers in digits; all numbers in your reply together must make {total}.",
    )
    total: Count

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(total=draws.choice((10, 12, 20, 25, 50, 100)))

    def _is_met(self, text: str) -> bool:
        found = [match.group().replace(",", "") for match in _NUMBER.finditer(text)]
        is_whole = all(number.isdecimal() and len(number) <= _MOST_DIGITS for number in found)
        return len(found) > 1 and is_whole and sum(map(int, found)) == self.total

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        match = draws.choice(list(_NUMBER.finditer(text)))
        number = int(match.group().replace(",", "")) + 1
        yield f"{text[: match.start()]}{number}{text[match.end() :]}"

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        if self.total > 1 and not _NUMBER.search(text):
            part = draws.randint(1, self.total - 1)
            yield with_sentence(text, f"That makes {part} and {self.total - part}.")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"numbers": at_least(2)}


KINDS: tuple[type[Constraint], ...] = (NumbersAtLeast, NumbersExactly, SpelledNumbers, NumbersSum)
