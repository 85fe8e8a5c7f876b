"""How a text is to be laid out: lists, titles, sections and marks."""

import random
import re
from collections.abc import Iterator, Sequence

from planish.find.instructions.constraint import Constraint, Counting
from planish.find.instructions.demands import (
    MARKED_LINES,
    Demands,
    at_least,
    character,
)
from planish.find.instructions.edits import inner_words, word_spans
from planish.find.instructions.matches import Matches
from planish.find.instructions.parts import sentences

_BULLET = re.compile(r"[^\S\n]*[-*•][^\S\n]+\S")
_NUMBERED = re.compile(r"[^\S\n]*(\d{1,4})[.)][^\S\n]+\S")


class BulletsExactly(Counting):
    """So many lines that begin with -, * or • and a space."""

    name, group, counts = "bullets_exactly", "layout", (2, 3, 4, 5, 6)
    wordings = (
        "Include exactly {count:bullet point}, each a line that begins with a dash or a star.",
        'Make a list of {count:bullet point} ("- " or "* " at the start of a line), not more and not fewer.',
    )

    def _is_met(self, text: str) -> bool:
        return len(self._points(text)) == self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        own, points = text.splitlines(), self._points(text)
        number = draws.choice(points)
        yield "\n".join([*own[:number], *own[number + 1 :]])
        yield "\n".join([*own[:number], own[number].lstrip(" \t-*•"), *own[number + 1 :]])

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        own, points = text.splitlines(), self._points(text)
        yield "\n".join(line for number, line in enumerate(own) if number not in points[self.count :])
        if not points:
            yield _listed(text, ["-"] * self.count)

    def _points(self, text: str) -> list[int]:
        return [number for number, line in enumerate(text.splitlines()) if _BULLET.match(line)]

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {MARKED_LINES: at_least(self.count), "lines": at_least(self.count), "sentences": at_least(self.count)}


class NumberedExactly(Counting):
    """So many lines that begin with a number and a full stop or bracket, numbered from 1 in order."""

    name, group, counts = "numbered_exactly", "layout", (2, 3, 4, 5, 6)
    claims = frozenset({"numbers"})
    wordings = (
        "Include a numbered list of exactly {count:point}, each on a line of its own, counted from 1.",
        'Number {count:point} in order ("1." at the start of a line, and so on), not more and not fewer.',
    )

    def _is_met(self, text: str) -> bool:
        numbers = [int(match[1]) for line in text.splitlines() if (match := _NUMBERED.match(line))]
        return numbers == list(range(1, self.count + 1))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        own = text.splitlines()
        points = [number for number, line in enumerate(own) if _NUMBERED.match(line)]
        number = draws.choice(points)
        yield "\n".join([*own[:number], *own[number + 1 :]])
        yield "\n".join([*own[:number], re.sub(r"\d++[.)][^\S\n]+", "", own[number], count=1), *own[number + 1 :]])

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        if not any(_NUMBERED.match(line) for line in text.splitlines()):
            yield _listed(text, [f"{number}." for number in range(1, self.count + 1)])

    def demands(self) -> Demands:
        """See `Constraint`."""
        counted = at_least(self.count)
        digits = {character(digit): at_least(1) for digit in "".join(map(str, range(1, self.count + 1)))}
        points = {MARKED_LINES: counted, "lines": counted, "sentences": counted, "numbers": counted}
        return {**digits, **points, character("."): counted}


class HighlightsAtLeast(Matches):
    """So many passages or more are within *stars* or **double stars** on one line."""

    name, group, counts = "highlights_at_least", "layout", (1, 2, 3, 4)
    wordings = (
        "Highlight at least {count:passage} with *stars* around it.",
        "Set {count:passage} or more off in Markdown *italics* or **bold**.",
    )
    pattern = re.compile(r"(?<![*\w])(\*\*?)(?=[^\s*])([^*\n]*+)(?<=\S)\1(?![*\w])")

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        left = self.count - 1

        def plain(match: re.Match[str]) -> str:
            nonlocal left
            left -= 1
            return match.group() if left >= 0 else match[2]

        yield self.pattern.sub(plain, text)

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        for span in inner_words(text, draws):
            yield f"{text[: span.start]}*{span.rule}*{text[span.end :]}"
        for span in word_spans(text):
            yield f"{text[: span.start]}*{span.rule}*{text[span.end :]}"

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character("*"): at_least(2 * self.count)}


class PlaceholdersAtLeast(Matches):
    """So many passages or more are in square brackets to be filled in, such as [name]; a link is none."""

    name, group, counts = "placeholders_at_least", "layout", (1, 2, 3)
    wordings = (
        "Leave {count:placeholder} or more in square brackets to be filled in, such as [name].",
        "Put in at least {count:placeholder}, like [date], with square brackets around.",
    )
    pattern, instead = re.compile(r"\[(?=[^\[\]\n]*\w)[^\[\]\n]*+\](?!\()"), "it"

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        for span in inner_words(text, draws):
            yield f"{text[: span.start]}[name]{text[span.end :]}"

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(char): at_least(self.count) for char in "[]"}


def _listed(text: str, marks: Sequence[str]) -> str:
    """The text's last sentences as the points of a list."""
    own = sentences(text)
    points = own[-len(marks) :]
    said_before = " ".join(own[: -len(marks)])
    return "\n".join(
        [*filter(None, [said_before]), *(f"{mark} {point}" for mark, point in zip(marks, points, strict=False))]
    )


KINDS: tuple[type[Constraint], ...] = (
    BulletsExactly,
    NumberedExactly,
    HighlightsAtLeast,
    PlaceholdersAtLeast,
)
