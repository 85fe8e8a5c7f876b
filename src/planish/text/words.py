"""What counts as a word."""

import re

# A word is letters, marks and digits, with apostrophes and hyphens inside it: "didn't" and "well-known" are one each.
WORD = re.compile(r"\w+(?:['’-]\w+)*")

# They commit a text to nothing: no word or phrase of these alone is anybody's tic.
FUNCTION_WORDS = frozenset(
    "a about after all also an and any are as at be been before but by can could did do does down for from had has "  # noqa: SIM905 - nobody would read 95 quoted words
    "have he her here hers him his how i if in into is it its just me more most my no not of off on one or our out "
    "over own she so some such than that the their them then there these they this those through to too under until up "
    "very was we were what when where which while who whom why will with would you your".split()
)


def fold(text: str) -> str:
    """The text in lower case and with one kind of apostrophe, character by character: no span is shifted by it."""
    # A character whose lower case is two characters stays as it is.
    return "".join(lower if len(lower := char.lower()) == 1 else char for char in straighten(text))


def straighten(text: str) -> str:
    """The text with one kind of apostrophe."""
    return text.replace("’", "'")


def is_word(char: str) -> bool:
    """Whether a character is one that words are made of."""
    return char.isalnum() or char == "_"


def words(text: str) -> list[str]:
    """The words of a text in order, lower-cased."""
    return [fold(match.group()) for match in WORD.finditer(text)]


def word_runs(text: str) -> list[list[str]]:
    """The words again, in runs that hold together: within a run nothing but one space stands between two words."""
    runs: list[list[str]] = []
    end = None
    for match in WORD.finditer(text):
        if end is None or text[end : match.start()] != " ":
            runs.append([])
        runs[-1].append(fold(match.group()))
        end = match.end()
    return runs
