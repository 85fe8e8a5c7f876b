"""What counts as a word."""

import re
from collections.abc import Sequence

# Chinese and Japanese, Thai, Lao, Burmese and Khmer have no spaces between words: each character is a word by itself.
_ALONE = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ebd\u0ec0-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U000323af"
)
# Accents and vowel signs of Latin, Greek, Cyrillic, Hebrew, Arabic and the scripts of India, which `\w` leaves out.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0903\u093a-\u093c\u093e-\u094f\u0951-\u0957"
    "\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u09d7\u09e2\u09e3\u0a01-\u0a03\u0a3c-\u0a51\u0a70\u0a71\u0a75"
    "\u0a81-\u0a83\u0abc-\u0acd\u0ae2\u0ae3\u0b01-\u0b03\u0b3c-\u0b57\u0b62\u0b63\u0b82\u0bbe-\u0bcd\u0bd7"
    "\u0c00-\u0c04\u0c3c-\u0c56\u0c62\u0c63\u0c81-\u0c83\u0cbc-\u0cd6\u0ce2\u0ce3\u0d00-\u0d03\u0d3b-\u0d4d"
    "\u0d57\u0d62\u0d63\u0d81-\u0d83\u0dca-\u0ddf\u0df2\u0df3"
)
_LETTERS = rf"(?:[A-Za-z0-9_]++|[^\W{_ALONE}]++|[{_MARKS}]++)++"
# Of most texts nearly all is ASCII, which costs far less than to look whether a character is one of so many.
_MOSTLY = rf"(?:[A-Za-z0-9_]++(?![^\x00-\x7f])|{_LETTERS})"
# A word is letters, marks and digits, with apostrophes and hyphens inside it: "didn't" and "well-known" are one each.
WORD = re.compile(rf"{_MOSTLY}(?:['’-]{_MOSTLY})*+|[{_ALONE}]")
_ONE_ALONE = re.compile(f"[{_ALONE}]")
_OF_WORD = re.compile(_LETTERS)

# They commit a text to nothing: no word or phrase of these alone is anybody's tic.
FUNCTION_WORDS = frozenset(
    "a about after all also an and any are as at be been before but by can could did do does down for from had has "  # noqa: SIM905 - nobody would read 95 quoted words
    "have he her here hers him his how i if in into is it its just me more most my no not of off on one or our out "
    "over own she so some such than that the their them then there these they this those through to too under until up "
    "very was we were what when where which while who whom why will with would you your".split()
)


def fold(text: str) -> str:
    """The text in lower case and with one kind of apostrophe, character by character: no span is shifted by it."""
    # "İ", whose lower case is two characters, stays as it is; that of "Σ" would depend on what stands around it.
    return "İ".join(part.lower() for part in straighten(text).replace("Σ", "Σ".lower()).split("İ"))


def straighten(text: str) -> str:
    """The text with one kind of apostrophe."""
    return text.replace("’", "'")


def is_word(char: str) -> bool:
    """Whether a character is one that words are made of, and not a word by itself."""
    return char.isalnum() or char == "_" if char.isascii() else _OF_WORD.match(char) is not None


def words(text: str) -> list[str]:
    """The words of a text in order, lower-cased."""
    return WORD.findall(fold(text))


def is_alone(word: str) -> bool:
    """Whether a word is a character of a script without spaces."""
    return len(word) == 1 and not word.isascii() and _ONE_ALONE.match(word) is not None


def word_runs(text: str) -> list[list[str]]:
    """The words again, in runs that hold together: a run stands in the text as `joined` writes it."""
    runs: list[list[str]] = []
    end, was_alone = None, False
    for match in WORD.finditer(text):
        word = match.group()
        alone = is_alone(word)
        if end is None or text[end : match.start()] != _between(was_alone, alone):
            runs.append([])
        runs[-1].append(fold(word))
        end, was_alone = match.end(), alone
    return runs


def joined(run: Sequence[str]) -> str:
    """Words as they stand in a text: with one space between two, and none around a character that is a word."""
    text, was_alone = "", True
    for word in run:
        alone = is_alone(word)
        text += _between(was_alone, alone) + word if text else word
        was_alone = alone
    return text


def _between(was_alone: bool, alone: bool) -> str:
    return "" if was_alone or alone else " "
