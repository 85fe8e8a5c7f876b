"""JSON as models write it: nearly right."""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

# Deeper than this nests nothing that is meant.
MOST_DEPTH = 32
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
WORDS = {"true": True, "false": False, "null": None}
PYTHON_WORDS = {"True": True, "False": False, "None": None}
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z]+")
_HEX = re.compile(r"[0-9a-fA-F]{4}")


class Lenient(NamedTuple):
    """A value, and what had to be repaired to read it, by kind."""

    value: Any
    repairs: Counter[str]


def read_lenient(text: str) -> Lenient:
    """Read one JSON value that fills the text, or what was meant for one.

    Raises:
        ValueError: it cannot be told what was meant; the message says where.
    """
    try:
        return Lenient(json.loads(text), Counter())
    except (ValueError, RecursionError):
        reader = _Reader(text)
        value = reader.value(0)
        reader.end()
        return Lenient(value, +reader.repairs)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0
        self.repairs: Counter[str] = Counter()

    def value(self, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise self._unreadable("a value less deep")
        match self._next():
            case "{":
                return dict(self._items("}", depth, self._pair))
            case "[":
                return self._items("]", depth, self.value)
            case '"' | "'":
                return self._string()
        if number := _NUMBER.match(self.text, self.place):
            self.place = number.end()
            return json.loads(number[0]) if len(number[0]) < 20 else float(number[0])
        return self._word()

    def end(self) -> None:
        if self._next():
            raise self._unreadable("the end")

    def _items(self, closer: str, depth: int, read: Callable[[int], Any]) -> list[Any]:
        self.place += 1
        items: list[Any] = []
        while self._next() != closer:
            items.append(read(depth + 1))
            if self._next() == ",":
                self.place += 1
                self.repairs["trailing_comma"] += self._next() == closer
            elif self._next() != closer:
                raise self._unreadable(f"a comma or {closer}")
        self.place += 1
        return items

    def _pair(self, depth: int) -> tuple[str, Any]:
        if self._next() not in ("'", '"'):
            raise self._unreadable("a key")
        key = self._string()
        if self._next() != ":":
            raise self._unreadable("a colon")
        self.place += 1
        return key, self.value(depth)

    def _word(self) -> bool | None:
        word = _WORD.match(self.text, self.place)
        known = {**WORDS, **PYTHON_WORDS}
        if word is None or word[0] not in known:
            raise self._unreadable("a value")
        self.place = word.end()
        self.repairs["python_word"] += word[0] in PYTHON_WORDS
        return known[word[0]]

    def _string(self) -> str:
        quote = self.text[self.place]
        self.repairs["single_quotes"] += quote == "'"
        self.place += 1
        chars: list[str] = []
        while (char := self.text[self.place : self.place + 1]) != quote:
            if not char:
                raise self._unreadable(f"a closing {quote}")
            self.place += 1
            if char == "\\":
                chars.append(self._escaped(quote))
            else:
                self.repairs["raw_control"] += char < " "
                chars.append(char)
        self.place += 1
        # Two escapes may be the halves of one character.
        return "".join(chars).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    def _escaped(self, quote: str) -> str:
        char = self.text[self.place : self.place + 1]
        self.place += 1
        if char == "u" and (code := _HEX.match(self.text, self.place)):
            self.place = code.end()
            return chr(int(code[0], 16))
        if char in ESCAPES or char == quote:
            return ESCAPES.get(char, char)
        # In a source, which is where most of these stand, the backslash is meant.
        self.repairs["illegal_escape"] += 1
        return f"\\{char}"

    def _next(self) -> str:
        """The next character that is no white space."""
        space = _SPACE.match(self.text, self.place)
        self.place = space.end() if space else self.place
        return self.text[self.place : self.place + 1]

    def _unreadable(self, wanted: str) -> ValueError:
        line = self.text.count("\n", 0, self.place) + 1
        return ValueError(f"line {line}, character {self.place + 1}: {wanted} should stand here")
