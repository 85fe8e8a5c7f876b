"""Small changes of texts, of which near misses and mended texts are made."""

import random
import re
from collections.abc import Iterator, Sequence

from planish.find.instructions.parts import WIDE_MARKS, sentence_spans
from planish.text.sentences import CLOSERS, MARKS
from planish.text.span import Span
from planish.text.words import FUNCTION_WORDS, WORD, fold, words

# What a keyword is drawn from where a prompt has too few words of its own.
_PLAIN_WORDS = ("window", "river", "answer", "garden", "morning", "paper", "silence", "bridge", "winter", "market")


def topic_words(draws: random.Random, content: str, count: int) -> tuple[str, ...]:
    """Different words that say something, from a prompt first."""
    own = sorted({word for word in words(content) if len(word) > 3 and word.isalpha() and word not in FUNCTION_WORDS})
    draws.shuffle(own)
    others = [word for word in _PLAIN_WORDS if word not in own]
    draws.shuffle(others)
    return tuple((own + others)[:count])


def word_spans(text: str, word: str | None = None) -> list[Span]:
    """Where the words stand, or one of them."""
    spans = (Span(match.start(), match.end(), match.group()) for match in WORD.finditer(text))
    return [span for span in spans if word is None or fold(span.rule) == word]


def replaced(text: str, span: Span, other: str) -> str:
    """Something else in the place of a span, with a capital where it had one."""
    old = text[span.start : span.end]
    if old[:1].isupper() and other[:1].islower():
        other = other[:1].upper() + other[1:]
    return text[: span.start] + other + text[span.end :]


def without(text: str, span: Span) -> str:
    """The text without a span and one of the spaces around it."""
    end = span.end
    if (span.start == 0 or text[span.start - 1].isspace()) and text[end : end + 1] == " ":
        end += 1
    elif text[span.start - 1 : span.start] == " ":
        return text[: span.start - 1] + text[end:]
    return text[: span.start] + text[end:]


def without_words(text: str, unwanted: Sequence[str]) -> str:
    """The text without any of these words."""
    for span in reversed([span for span in word_spans(text) if fold(span.rule) in unwanted]):
        text = without(text, span)
    return text


def with_sentence(text: str, sentence: str) -> str:
    """A sentence more, at the end of the text."""
    return f"{text.rstrip()} {sentence}" if text.strip() else sentence


def inner_words(text: str, draws: random.Random) -> list[Span]:
    """Some words, in a drawn order, that have a word before them and one behind them."""
    inner = word_spans(text)[1:-1]
    return draws.sample(inner, min(len(inner), 8))


def with_word(text: str, word: str, draws: random.Random) -> Iterator[str]:
    """The text with a word in the place of another, then with one put before another."""
    inner = inner_words(text, draws)
    yield from (replaced(text, span, word) for span in inner)
    yield from (text[: span.start] + word + " " + text[span.start :] for span in inner)
    yield with_sentence(text, word.capitalize() + ".")


def with_mark(text: str, mark: str, draws: random.Random) -> Iterator[str]:
    """The text with a mark behind one of its inner words."""
    for span in inner_words(text, draws):
        if text[span.end : span.end + 1] == " ":
            yield text[: span.end] + mark + text[span.end :]
    if first := WORD.search(text):
        yield text[: first.end()] + mark + text[first.end() :]


def with_last_mark(text: str, mark: str, draws: random.Random) -> Iterator[str]:
    """The text with another mark at the end of one of its sentences."""
    spans = sentence_spans(text)
    for span in draws.sample(spans, min(len(spans), 8)):
        yield text[: span.start] + _ended(text[span.start : span.end], mark) + text[span.end :]


def with_ends(text: str, mark: str) -> str:
    """The text with one mark at the end of all of its sentences."""
    parts, end = [], 0
    for span in sentence_spans(text):
        parts += [text[end : span.start], _ended(text[span.start : span.end], mark)]
        end = span.end
    return "".join([*parts, text[end:]])


def _ended(sentence: str, mark: str) -> str:
    bare = sentence.rstrip(CLOSERS + MARKS + WIDE_MARKS)
    return bare + mark + sentence[len(bare) :].lstrip(MARKS + WIDE_MARKS)


def without_one(text: str, pattern: re.Pattern[str], draws: random.Random, instead: str = "") -> Iterator[str]:
    """The text without one match of a pattern."""
    matches = [match.span() for match in pattern.finditer(text)]
    for start, end in draws.sample(matches, min(len(matches), 8)):
        yield text[:start] + instead + text[end:]


def kept_matches(text: str, pattern: re.Pattern[str], count: int, instead: str = "") -> str:
    """The text with only the first so many matches of a pattern."""
    seen = 0

    def one(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        return match.group() if seen <= count else instead

    return pattern.sub(one, text)
