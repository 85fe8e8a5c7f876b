"""What the length of a text is counted in, and how a text is made shorter or longer by little."""

from collections.abc import Callable
from typing import NamedTuple

from planish.find.instructions.edits import with_sentence, word_spans
from planish.find.instructions.parts import lines, paragraphs, sentence_spans
from planish.text.words import words

# What can stand at the end of any text, a word more each, and so can any two of them one after the other.
_MORE = (
    "Truly.",
    "Just so.",
    "That is all.",
    "So it goes on.",
    "There is more to say.",
    "It could also be said otherwise.",
    "Nobody has to agree with all of it.",
)


class Unit(NamedTuple):
    """A unit of length: `resized` makes a text that has so many of it, as near to the text as it can."""

    name: str
    count: Callable[[str], int]
    resized: Callable[[str, int], str]


def _words_resized(text: str, count: int) -> str:
    spans = word_spans(text)
    if count <= len(spans):
        ends = [span.end for span in sentence_spans(text)]
        cut = spans[count - 1].end if count else 0
        return text[:cut] if cut in ends or not cut else text[:cut] + "."
    while (missing := count - len(words(text))) > 0:
        text = with_sentence(text, next(more for more in reversed(_MORE) if len(words(more)) <= missing))
    return text


def _sentences_resized(text: str, count: int) -> str:
    spans = sentence_spans(text)
    if count <= len(spans):
        return text[: spans[count - 1].end] if count else ""
    for number in range(count - len(spans)):
        text = with_sentence(text, _MORE[number % len(_MORE)])
    return text


def _characters_resized(text: str, count: int) -> str:
    text = text.strip()
    if count <= len(text):
        return text[:count].rstrip()
    while len(text) < count:
        text = with_sentence(text, _MORE[-1])
    return text


def _paragraphs_resized(text: str, count: int) -> str:
    return _blocks_resized(text, paragraphs(text), "\n\n", count)


def _lines_resized(text: str, count: int) -> str:
    return _blocks_resized(text, lines(text), "\n", count)


def _blocks_resized(text: str, blocks: list[str], separator: str, count: int) -> str:
    """The last blocks made one, or blocks taken apart between two sentences; nothing is lost."""
    if count <= len(blocks):
        first = blocks[: max(count - 1, 0)]
        return separator.join([*first, " ".join(blocks[len(first) :])]) if count else ""
    starts = [
        after.start
        for before, after in zip(sentence_spans(text), sentence_spans(text)[1:], strict=False)
        if "\n" not in text[before.end : after.start]
    ]
    for start in reversed(starts[: count - len(blocks)]):
        text = text[:start].rstrip() + separator + text[start:]
    for number in range(count - len(blocks) - len(starts)):
        text = text.rstrip() + separator + _MORE[number % len(_MORE)]
    return text


WORDS = Unit("word", lambda text: len(words(text)), _words_resized)
SENTENCES = Unit("sentence", lambda text: len(sentence_spans(text)), _sentences_resized)
PARAGRAPHS = Unit("paragraph", lambda text: len(paragraphs(text)), _paragraphs_resized)
LINES = Unit("line", lambda text: len(lines(text)), _lines_resized)
CHARACTERS = Unit("character", lambda text: len(text.strip()), _characters_resized)
