"""Kinds that count the matches of a pattern."""

import random
import re
from collections.abc import Iterator
from typing import ClassVar

from planish.find.instructions.constraint import Constraint, Counting
from planish.find.instructions.edits import kept_matches, without_one


class Matches(Counting):
    """At least so many matches."""

    pattern: ClassVar[re.Pattern[str]]
    # What stands in the place of a match that is taken out.
    instead: ClassVar[str] = ""

    def _found(self, text: str) -> int:
        return sum(1 for _ in self.pattern.finditer(text))

    def _is_met(self, text: str) -> bool:
        return self._found(text) >= self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        if self._found(text) == self.count:
            yield from without_one(text, self.pattern, draws, self.instead)
        yield kept_matches(text, self.pattern, self.count - 1, self.instead)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        for _ in range(self.count):
            if self.holds(text):
                break
            text = next((more for more in self._more(text, draws) if self._found(more) > self._found(text)), text)
        yield text

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        """Texts with one match more; those without one are passed over."""
        yield from ()


class ExactMatches(Matches):
    """Exactly so many matches."""

    def _is_met(self, text: str) -> bool:
        return self._found(text) == self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        changes = [without_one(text, self.pattern, draws, self.instead), self._more(text, draws)]
        draws.shuffle(changes)
        for change in changes:
            yield from change

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield kept_matches(text, self.pattern, self.count, self.instead)
        yield from super()._mends(text, draws)


class NoMatches(Constraint):
    """No match."""

    pattern: ClassVar[re.Pattern[str]]
    instead: ClassVar[str] = ""

    def _is_met(self, text: str) -> bool:
        return self.pattern.search(text) is None

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield self.pattern.sub(self.instead, text)
