"""Small changes of texts that pass: what a verifier has to notice, if its instruction is broken by them."""

import random
import re
from collections.abc import Callable
from typing import NamedTuple

from planish.text.sentences import SENTENCE_END

_WORD = re.compile(r"\S+")
_MARK = re.compile(r"[^\w\s]")
_NEW_LINES = re.compile(r"\s*\n\s*")
_END = re.compile(SENTENCE_END)
QUOTES = str.maketrans("\"'“”‘’", "'\"‘’“”")
# How often each kind is tried, for it may change nothing, or the same as before.
ROUNDS = 3


class Mutant(NamedTuple):
    """A changed text, and the kind of the change."""

    text: str
    kind: str


def mutants(text: str, count: int, seed: int = 0) -> list[Mutant]:
    """At most so many changed texts, each another one, of as many kinds as there are; the same for the same seed."""
    draws = random.Random(f"{seed} {text}")
    found: dict[str, str] = {}
    for kind in (kind for _ in range(ROUNDS) for kind in draws.sample(list(KINDS), len(KINDS))):
        if len(found) >= count:
            break
        changed = KINDS[kind](text, draws)
        if changed != text:
            found.setdefault(changed, kind)
    return [Mutant(changed, kind) for changed, kind in found.items()]


def _at_word(change: Callable[[str], str]) -> Callable[[str, random.Random], str]:
    """The change of one word, wherever it stands."""

    def changed(text: str, draws: random.Random) -> str:
        places = list(_WORD.finditer(text))
        if not places:
            return text
        place = draws.choice(places)
        return text[: place.start()] + change(place[0]) + text[place.end() :]

    return changed


def _swapped_words(text: str, draws: random.Random) -> str:
    places = list(_WORD.finditer(text))
    if len(places) < 2:
        return text
    first = draws.randrange(len(places) - 1)
    one, other = places[first : first + 2]
    return text[: one.start()] + other[0] + text[one.end() : other.start()] + one[0] + text[other.end() :]


def _without_mark(text: str, draws: random.Random) -> str:
    places = list(_MARK.finditer(text))
    if not places:
        return text
    place = draws.choice(places)
    return text[: place.start()] + text[place.end() :]


def _joined_sentences(text: str, draws: random.Random) -> str:
    ends = [end for end in _END.finditer(text) if end.end() < len(text)]
    if not ends:
        return text
    end = draws.choice(ends)
    return f"{text[: end.start()]}, {text[end.end() : end.end() + 1].lower()}{text[end.end() + 1 :]}"


def _split_sentence(text: str, draws: random.Random) -> str:
    places = list(_WORD.finditer(text))[:-1]
    if not places:
        return text
    end = draws.choice(places).end()
    rest = text[end:].lstrip()
    return f"{text[:end].rstrip('.,;:!?')}. {rest[:1].upper()}{rest[1:]}"


def _cut(text: str, draws: random.Random) -> str:
    places = list(_WORD.finditer(text))
    return text[: places[len(places) // 2].start()].rstrip() if places else text


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "word_dropped": _at_word(lambda word: ""),
    "word_doubled": _at_word(lambda word: f"{word} {word}"),
    "words_swapped": _swapped_words,
    "word_in_capitals": _at_word(str.upper),
    "word_in_small_letters": _at_word(str.lower),
    "comma_added": _at_word(lambda word: f"{word.rstrip(',')},"),
    "mark_dropped": _without_mark,
    "sentences_joined": _joined_sentences,
    "sentence_split": _split_sentence,
    "quotes_swapped": lambda text, draws: text.translate(QUOTES),
    "quoted": lambda text, draws: f'"{text}"',
    "all_in_capitals": lambda text, draws: text.upper(),
    "all_in_small_letters": lambda text, draws: text.lower(),
    "said_twice": lambda text, draws: f"{text}\n\n{text}",
    "cut": _cut,
    "line_added": lambda text, draws: f"{text}\nI hope that this helps!",
    "line_before": lambda text, draws: f"Here is the answer:\n{text}",
    "lines_joined": lambda text, draws: _NEW_LINES.sub(" ", text),
}
