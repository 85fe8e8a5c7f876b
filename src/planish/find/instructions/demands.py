"""What constraints ask for, in terms in which two of them can be held against each other."""

import math
from collections import Counter
from collections.abc import Mapping

from planish.text.words import WORD, fold, words

# How often something stands in every text that obeys: from a least to a greatest count.
Range = tuple[float, float]
Demands = Mapping[str, Range]

NONE: Range = (0, 0)
# Where only one constraint can say what stands there.
BEGINNING, END = "the beginning", "the end"
# The first words of sentences or paragraphs, where the one before or the letter is given.
OPENERS = "first words"
# Lines that are no prose: headings and titles, and the points of lists. A sentence of one of these is hard to count.
LONE_LINES, MARKED_LINES = "lone lines", "marked lines"
PROSE_ONLY: Demands = {LONE_LINES: NONE, MARKED_LINES: NONE}


def at_least(count: float) -> Range:
    """So often or more."""
    return count, math.inf


def character(char: str) -> str:
    """How a character is named in demands; a letter counts in either case."""
    return f"character {fold(char)}"


def word(value: str) -> str:
    """How a word is named in demands."""
    return f"word {fold(value)}"


def said(text: str, times: int = 1, in_its_case: bool = False) -> dict[str, Range]:
    """What a text demands that must stand in another one, in any case or just as it is."""
    said_words, chars = words(text), Counter(fold(char) for char in text if not char.isspace())
    found = {character(char): at_least(count * times) for char, count in chars.items()}
    found |= {word(value): at_least(count * times) for value, count in Counter(said_words).items()}
    found |= {"words": at_least(len(said_words) * times), "characters": at_least(len(text) * times)}
    found["letters a word"] = at_least(max((len(value) for value in said_words), default=0))
    if times > 1:
        found["letters a repeated word"] = found["letters a word"]
    if any(char.isdecimal() for char in text):
        found["numbers"] = at_least(1)
    if in_its_case:
        own = WORD.findall(text)
        is_there = {
            "capital letters": any(map(str.isupper, text)),
            "small letters": any(map(str.islower, text)),
            "inner capitals": any(map(str.isupper, text[1:])),
            "capital words": any(value.isupper() and len(value) > 1 for value in own),
            "words in small letters": any(value[0].islower() for value in own),
        }
        found |= {name: at_least(1) for name, there in is_there.items() if there}
    return found
