"""What a behaviour says about a text."""

from typing import NamedTuple

from planish.records.prompt import Prompt
from planish.records.record import Record
from planish.text.span import Span


class Sample(NamedTuple):
    """A text and the prompt it was written for."""

    prompt: Prompt
    text: str
    generation_id: str = ""


class Score(Record):
    """How much of the unwanted thing a text has: `value` in [0, 1], higher is more.

    Rates are summed from `hits` and `words` over texts, never averaged from values.
    """

    generation_id: str
    behaviour: str
    version: str
    value: float
    hits: int
    words: int
    spans: tuple[Span, ...] = ()


class Failure(Record):
    """A text that could not be scored, and why. It is never counted as a score."""

    generation_id: str
    behaviour: str
    error: str
