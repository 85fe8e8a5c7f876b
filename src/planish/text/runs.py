"""How a piece of a stream falls into words and the characters between them."""

from collections.abc import Callable
from itertools import groupby

from planish.text.words import fold, is_word, straighten

# A run is as many characters of a word as stand together, or one character that is in none; and which of both.
Run = tuple[str, bool]

# The pieces that a model writes are tokens and recur, so their runs are remembered: so many at most, and then all
# forgotten. Longer pieces are no tokens.
MOST_PIECES = 1 << 17
LONGEST_PIECE = 32


class Runs(dict[str, tuple[Run, ...]]):
    """The runs of any text, folded."""

    def __init__(self, folding: Callable[[str], str]) -> None:
        super().__init__()
        self._fold = folding

    def __missing__(self, text: str) -> tuple[Run, ...]:
        found: list[Run] = []
        for in_word, chars in groupby(self._fold(text), is_word):
            run = "".join(chars)
            found += [(run, True)] if in_word else [(char, False) for char in run]
        if len(text) <= LONGEST_PIECE:
            if len(self) >= MOST_PIECES:
                self.clear()
            self[text] = tuple(found)
        return tuple(found)


RUNS = Runs(fold)
CASED_RUNS = Runs(straighten)
