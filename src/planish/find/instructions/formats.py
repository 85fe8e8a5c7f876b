"""Kinds that ask for a format which other programs read."""

import json
import random
import re
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Field

from planish.find.instructions.constraint import Constraint, Counting, Phrase
from planish.find.instructions.demands import (
    BEGINNING,
    END,
    LONE_LINES,
    PROSE_ONLY,
    Demands,
    at_least,
    character,
    said,
)
from planish.text.words import WORD

_KEYS = ("title", "summary", "reason", "example", "answer", "note")
_RULE = re.compile(r"[^\S\n]*:?-+:?[^\S\n]*")
_WHOLE: Demands = {**PROSE_ONLY, "paragraphs": (1, 1), "lines": (1, 1), character('"'): at_least(2)}


class JsonOnly(Constraint):
    """The whole text is one JSON object or array, without a code fence around it."""

    name, group = "json_only", "layout"
    claims = frozenset({BEGINNING, END})
    wordings = (
        "Reply with one JSON object or array and nothing else, not even a code fence.",
        "Your whole reply must be valid JSON (an object or an array), without any text or fence around.",
    )

    def _is_met(self, text: str) -> bool:
        return isinstance(_json(text), dict | list)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield f"```json\n{text.strip()}\n```"

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        fenced = re.search(r"```(?:json)?\n(.*?)```", text, re.DOTALL)
        yield (fenced[1] if fenced else json.dumps({"answer": text.strip()}, ensure_ascii=False)).strip()

    def demands(self) -> Demands:
        """See `Constraint`."""
        return _WHOLE


class JsonKeys(JsonOnly):
    """The whole text is one JSON object that has these keys, all of them and no others."""

    name = "json_keys"
    wordings = (
        "Reply with nothing but a JSON object whose keys are {keys}, and no others.",
        "Your whole reply must be one JSON object, unfenced, with exactly these keys: {keys}.",
    )
    keys: Annotated[tuple[Phrase, ...], Field(min_length=1)]

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(keys=tuple(draws.sample(_KEYS, draws.choice((2, 3)))))

    def _is_met(self, text: str) -> bool:
        value = _json(text)
        return isinstance(value, dict) and value.keys() == set(self.keys)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        value = _json(text)
        gone = draws.choice(self.keys)
        yield json.dumps({key: value[key] for key in value if key != gone}, ensure_ascii=False)
        yield json.dumps({**value, "more": True}, ensure_ascii=False)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield json.dumps({key: text.strip() for key in self.keys}, ensure_ascii=False)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {**said(" ".join(self.keys), in_its_case=True), **_WHOLE, character("{"): at_least(1)}


class TableColumns(Counting):
    """A Markdown table of so many columns: a header, a line of dashes, and at least one row, all as wide."""

    name, group, counts = "table_columns", "layout", (2, 3, 4)
    wordings = (
        "Include a Markdown table with exactly {count:column} and at least one row below the header.",
        "Set something out in a table (in Markdown, with | between the cells) of {count:column}, with a header.",
    )

    def _is_met(self, text: str) -> bool:
        rows = [_cells(line) for line in text.splitlines()]
        return any(
            len(head) == len(rule) == len(row) == self.count and all(map(_RULE.fullmatch, rule)) and any(head)
            for head, rule, row in zip(rows, rows[1:], rows[2:], strict=False)
        )

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        own = text.splitlines()
        yield "\n".join(line for line in own if not _is_rule(line))

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        cells = [match.group() for match in WORD.finditer(text)][: 2 * self.count]
        if len(cells) == 2 * self.count:
            rows = (cells[: self.count], ["---"] * self.count, cells[self.count :])
            yield "\n".join([text.rstrip(), "", *(f"| {' | '.join(row)} |" for row in rows)])

    def demands(self) -> Demands:
        """See `Constraint`."""
        bars = {character("|"): at_least(3 * (self.count - 1)), character("-"): at_least(self.count)}
        return {**bars, LONE_LINES: at_least(3), "lines": at_least(3)}


class CodeBlock(Constraint):
    """A fenced block with something in it: a line that begins with three backticks, and one that is only them."""

    name, group = "code_block", "layout"
    wordings = (
        "Put something into a fenced code block (``` on the lines before and after it).",
        "Include at least one block between lines of three backticks (```).",
    )

    def _is_met(self, text: str) -> bool:
        opened: int | None = None
        for number, line in enumerate(own := text.splitlines()):
            if opened is None and line.lstrip().startswith("```"):
                opened = number
            elif opened is not None and line.strip() == "```":
                if any(inside.strip() for inside in own[opened + 1 : number]):
                    return True
                opened = None
        return False

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield text.replace("```", "`")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield f"```\n{text.strip()}\n```"

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {LONE_LINES: at_least(2), character("`"): at_least(6), "lines": at_least(3)}


def _json(text: str) -> Any:
    """What a text says as JSON; None where it is none."""
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _cells(line: str) -> list[str]:
    """The cells of a row of a table; none where the line is no row."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else []


def _is_rule(line: str) -> bool:
    return "|" in line and all(map(_RULE.fullmatch, _cells(line)))


KINDS: tuple[type[Constraint], ...] = (JsonOnly, JsonKeys, TableColumns, CodeBlock)
