"""Long text cut into passages."""

import re
from collections.abc import Iterator

from planish.text.sentences import SENTENCE_END

# About a thousand English words.
PASSAGE_CHARS = 6_000
# What is hardly longer is left whole: no passage is a snippet.
LONGEST_PASSAGE_CHARS = 9_000
# The full stop and its like in Chinese and Japanese need no white space behind them.
END = re.compile(f"{SENTENCE_END}|[\u3002\uff01\uff1f][\u300d\u300f\uff09”’]*")
WHITE_SPACE = re.compile(r"\s")


def passages(text: str) -> Iterator[str]:
    """The text in pieces of about a thousand words, cut at sentence ends where there are any, else at white space."""
    start = 0
    while len(text) - start > LONGEST_PASSAGE_CHARS:
        window = text[start : start + PASSAGE_CHARS]
        length = _cut(window)
        yield window[:length]
        start += length
    yield text[start:]


def _cut(window: str) -> int:
    """How much of it is the passage: as many whole sentences as there are, words, or all of it."""
    for boundary in (END, WHITE_SPACE):
        ends = [match.end() for match in boundary.finditer(window)]
        if ends:
            return ends[-1]
    return len(window)
