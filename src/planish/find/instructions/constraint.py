"""An instruction that a program can check."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from planish.find.instructions.demands import Demands
from planish.text.words import WORD, words


class Constraint(BaseModel):
    """An instruction that a program can check: a subclass is a kind of them, its fields are the parameters.

    A kind says in its docstring what exactly is checked, in `wordings` how it is asked for, each with all parameters
    as fields (`{count:word}` becomes "1 word" or "3 words"), in `_is_met` how it is checked, and in `_breaks` and
    `_mends` how a text is changed. A text without a word follows no instruction.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: ClassVar[str]
    group: ClassVar[str]
    wordings: ClassVar[tuple[str, ...]]
    # What no other constraint of the same prompt may claim as well.
    claims: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self | None:
        """One of this kind that fits a prompt which says `content`; None where none does."""
        return cls()

    @property
    def spelled(self) -> str:
        """The one way in which it is written in a row: `no_commas`, or `at_least_words{"count": 50}`."""
        parameters = self.model_dump(mode="json")
        return self.name + (json.dumps(parameters, ensure_ascii=False, sort_keys=True) if parameters else "")

    def instruction(self, draws: random.Random | None = None) -> str:
        """What to write, said in one of its wordings: the first, or a drawn one."""
        wording = draws.choice(self.wordings) if draws else self.wordings[0]
        return wording.format(**{field: _shown(getattr(self, field)) for field in type(self).model_fields})

    def holds(self, text: str) -> bool:
        """Whether a text does as it says."""
        return WORD.search(text) is not None and self._is_met(text)

    def near_miss(self, text: str, draws: random.Random) -> str | None:
        """A text that holds, changed as little as is plausible so that it does not; None where that cannot be."""
        if not self.holds(text):
            return None
        return _first(self._breaks(text, draws), lambda other: not self.holds(other))

    def mended(self, text: str, draws: random.Random) -> str | None:
        """A text, changed a little so that it holds; None where no small change is known."""
        if self.holds(text):
            return text
        return _first(self._mends(text, draws), self.holds) if WORD.search(text) else None

    def _is_met(self, text: str) -> bool:
        """The check itself, for a text that has words."""
        raise NotImplementedError

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        """Changes of a text that holds, smallest first; those that still hold are passed over."""
        yield from ()

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        """Changes of a text that does not hold, smallest first; those that still do not are passed over."""
        yield from ()

    def demands(self) -> Demands:
        """What it asks for that another constraint could rule out; see `compatible`."""
        return {}


class _Counted(int):
    """A number that can be followed by its noun: `{count:word}`."""

    def __format__(self, noun: str) -> str:
        return f"{int(self)} {noun}{'' if self == 1 else 's'}" if noun else str(int(self))


def _shown(value: Any) -> Any:
    if isinstance(value, int):
        return _Counted(value)
    if isinstance(value, tuple):
        quoted = [f'"{part}"' for part in value]
        return " and ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part)
    return value


def _first(texts: Iterable[str], fits: Callable[[str], bool]) -> str | None:
    """The first that has words and fits."""
    return next((text for text in texts if WORD.search(text) and fits(text)), None)


def _one_word(value: str) -> str:
    if words(value) != [value]:
        raise ValueError("must be one word in lower case")
    return value


def _trimmed(value: str) -> str:
    if value != value.strip() or not words(value):
        raise ValueError("must have words, and no white space around them")
    return value


def _one_letter(value: str) -> str:
    if len(value) != 1 or not value.isalpha() or value != value.lower():
        raise ValueError("must be one letter in lower case")
    return value


Count = Annotated[int, Field(ge=1)]
Word = Annotated[str, AfterValidator(_one_word)]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]
Phrase = Annotated[str, AfterValidator(_trimmed)]
Letter = Annotated[str, AfterValidator(_one_letter)]


class Counting(Constraint):
    """A kind with a count."""

    # What the count is drawn from.
    counts: ClassVar[tuple[int, ...]]
    count: Count

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(count=draws.choice(cls.counts))
