"""How a text is to be divided: titles, headings, sections and parts."""

import random
import re
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field

from planish.find.instructions.constraint import Constraint, Counting, Phrase
from planish.find.instructions.demands import (
    BEGINNING,
    END,
    LONE_LINES,
    Demands,
    at_least,
    character,
    said,
)
from planish.find.instructions.edits import topic_words
from planish.find.instructions.parts import lines, sentences
from planish.text.words import WORD, fold

_HEADING = re.compile(r"#{1,6}[^\S\n]+[^\s#]")
_STARS = re.compile(r"[^\S\n]*\*{3,}[^\S\n]*")
_TITLE = re.compile(r"<<[^<>\n]*\w[^<>\n]*>>")
_SECTIONS = ("Summary", "Background", "Details", "Example", "Reasons", "Next steps", "Outlook", "In short")


class HeadingsAtLeast(Counting):
    """So many lines or more that begin with # and a space, as headings do in Markdown."""

    name, group, counts = "headings_at_least", "layout", (1, 2, 3)
    wordings = (
        'Use {count:Markdown heading} or more, on lines that begin with "#".',
        'Set at least {count:heading} in Markdown: "#" and a space, then the heading on the same line.',
    )

    def _is_met(self, text: str) -> bool:
        return sum(1 for line in text.splitlines() if _HEADING.match(line)) >= self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        own, left = text.splitlines(), self.count - 1
        for number, line in enumerate(own):
            if _HEADING.match(line):
                left -= 1
                own[number] = line if left >= 0 else line.lstrip("# ")
        yield "\n".join(own)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        for number in range(self.count):
            text = f"# {_SECTIONS[number % len(_SECTIONS)]}\n\n{text}"
            yield text

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {LONE_LINES: at_least(self.count), character("#"): at_least(self.count), "lines": at_least(self.count)}


class AngleTitle(Constraint):
    """The first line is a title in double angle brackets and nothing else."""

    name, group = "angle_title", "layout"
    claims = frozenset({BEGINNING})
    wordings = (
        "Put a title in double angle brackets on the first line, such as <<A Day Out>>.",
        "On a first line of its own, give it a title <<in double angle brackets>>.",
    )

    def _is_met(self, text: str) -> bool:
        return _TITLE.fullmatch(lines(text)[0].strip()) is not None

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield text.replace("<<", "<", 1).replace(">>", ">", 1)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield f"<<{' '.join(topic_words(draws, text, 2)).title()}>>\n\n{text}"

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {LONE_LINES: at_least(1), character("<"): at_least(2), character(">"): at_least(2)}


class Sections(Constraint):
    """Each of some names, in order and in any case, is alone on a line; marks around it (# * _ :) do not count."""

    name, group = "sections", "layout"
    wordings = (
        "Part it into sections with these names, in this order, each on a line of its own: {titles}.",
        "Write sections headed {titles}: keep to this order and put every heading on its own line.",
    )
    titles: Annotated[tuple[Phrase, ...], Field(min_length=1)]

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(titles=tuple(draws.sample(_SECTIONS, draws.choice((2, 3)))))

    def _is_met(self, text: str) -> bool:
        wanted = [fold(title) for title in self.titles]
        return [name for line in text.splitlines() if (name := _heading(line)) in wanted] == wanted

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        own = text.splitlines()
        title = fold(draws.choice(self.titles))
        yield "\n".join(line for line in own if _heading(line) != title)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        own = sentences(text)
        share = len(own) / len(self.titles)
        parts = [" ".join(own[round(n * share) : round((n + 1) * share)]) for n in range(len(self.titles))]
        yield "\n\n".join(f"{title}\n{part}" for title, part in zip(self.titles, parts, strict=True))

    def demands(self) -> Demands:
        """See `Constraint`."""
        count = len(self.titles)
        return {**said(" ".join(self.titles)), LONE_LINES: at_least(count), "lines": at_least(2 * count)}


class Postscript(Constraint):
    """The last paragraph begins with a marker, in this case, and goes on."""

    name, group = "postscript", "layout"
    claims = frozenset({END})
    wordings = (
        'End with a postscript: a last paragraph, behind a blank line, that begins with "{marker}".',
        'After a blank line, add an afterthought that starts with "{marker}", and nothing behind it.',
    )
    marker: Phrase

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(marker=draws.choice(("P.S.", "PS:", "P.P.S.")))

    def _is_met(self, text: str) -> bool:
        *before, last = re.split(r"\n[^\S\n]*+\n", text.strip())
        last = last.strip()
        return bool(before) and last.startswith(self.marker) and WORD.search(last, len(self.marker)) is not None

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        at = text.rindex(self.marker)
        yield text[:at].rstrip()
        yield text[:at] + text[at + len(self.marker) :].lstrip()

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield f"{text.rstrip()}\n\n{self.marker} There is more to say."

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {**said(self.marker, in_its_case=True), LONE_LINES: at_least(1), "paragraphs": at_least(2)}


class PartsByStars(Counting):
    """So many different parts that have words, with a line of nothing but three stars between two of them."""

    name, group, counts = "parts_by_stars", "layout", (2, 3)
    wordings = (
        "Write {count:part} that differ, with a line of three stars (***) between one part and the next.",
        "Give {count:different version}, and part one from another by a line that is just ***.",
    )

    def _is_met(self, text: str) -> bool:
        parts = self._parts(text)
        return len(parts) == self.count == len({*parts}) and all(WORD.search(part) for part in parts)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield re.sub(r"\n[^\S\n]*+\*{3,}+[^\S\n]*+\n", "\n\n", text, count=1)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        own = sentences(text)
        share = len(own) / self.count
        yield "\n***\n".join(" ".join(own[round(n * share) : round((n + 1) * share)]) for n in range(self.count))

    def _parts(self, text: str) -> list[str]:
        parts: list[list[str]] = [[]]
        for line in text.splitlines():
            if _STARS.fullmatch(line):
                parts.append([])
            else:
                parts[-1].append(line)
        return ["\n".join(part).strip() for part in parts]

    def demands(self) -> Demands:
        """See `Constraint`."""
        stars = at_least(3 * (self.count - 1))
        return {LONE_LINES: at_least(1), character("*"): stars, "lines": at_least(2 * self.count - 1)}


def _heading(line: str) -> str:
    """What a line says, without the marks that headings have."""
    return fold(line.strip(" \t#*_:"))


KINDS: tuple[type[Constraint], ...] = (
    HeadingsAtLeast,
    AngleTitle,
    Sections,
    Postscript,
    PartsByStars,
)
