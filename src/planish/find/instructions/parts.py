"""The parts of a text that instructions count: sentences, paragraphs, lines."""

import re

from planish.text.sentences import CLOSERS, MARKS
from planish.text.span import Span
from planish.text.words import WORD, fold

# The full-width forms, behind which no white space is needed.
WIDE_MARKS = "\u3002\uff01\uff1f"
# Looked for from the first of several marks only, so that a million full stops are read once.
_END = re.compile(rf"(?<![{MARKS}])[{MARKS}]++[{re.escape(CLOSERS)}]*+(?=\s|\Z)|[{WIDE_MARKS}]++[」』”’]*+|\n")
# A bullet, the number of a point, the marks of a heading or of a quotation: before the line's first word.
LINE_MARK = re.compile(r"[ \t]*+(?:[-*•+>]|#{1,6}|\d{1,3}[.)])(?=[ \t])")
_OPENERS = "\"'“‘«(*_[ \t"
_LAST_LETTERS = re.compile(r"[^\W\d_](?:[.]?[^\W\d_]){0,9}\Z")
# A full stop behind one of these is its own, whatever follows.
_NEVER_LAST = frozenset("mr mrs ms mx dr prof st sr gen col capt lt sgt rev hon mt messrs e.g i.e vs cf".split())  # noqa: SIM905 - read as a line
# Behind these it is their own where the sentence goes on in lower case or with a number.
_SELDOM_LAST = frozenset("etc inc ltd co jr no vol fig approx dept est u.s u.k a.m p.m ph.d a.d b.c al".split())  # noqa: SIM905 - read as a line


def sentence_spans(text: str) -> list[Span]:
    """Where the sentences stand that have a word.

    A sentence ends at `.`, `!`, `?` or `…` with white space behind it (closing quotes and brackets may stand between),
    at their full-width forms, and at every new line. The full stop of an abbreviation ("Dr. Who", "J. R. Smith") ends
    none, nor does what is quoted ("“Why?” he asked"), nor an ellipsis before a lower-case word.
    """
    spans: list[Span] = []
    begin = 0
    for end in _END.finditer(text):
        if end.group() != "\n" and _goes_on(text, begin, end):
            continue
        _add(spans, text, begin, end.end())
        begin = end.end()
    _add(spans, text, begin, len(text))
    return spans


def sentences(text: str) -> list[str]:
    """The sentences themselves, without bullets and white space around them."""
    return [text[span.start : span.end] for span in sentence_spans(text)]


def paragraphs(text: str) -> list[str]:
    """The blocks of lines between blank lines; a block without a word, such as a line of stars, is none."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for lines in blocks if WORD.search(block := "\n".join(lines))]


def lines(text: str) -> list[str]:
    """The lines that are not blank."""
    return [line for line in text.splitlines() if line.strip()]


def _add(spans: list[Span], text: str, begin: int, end: int) -> None:
    if mark := LINE_MARK.match(text, begin, end):
        begin = mark.end()
    part = text[begin:end]
    begin += len(part) - len(part.lstrip())
    if WORD.search(part):
        spans.append(Span(begin, begin + len(part.strip()), "sentence"))


def _goes_on(text: str, begin: int, end: re.Match[str]) -> bool:
    """Whether the sentence goes on behind a mark."""
    marks = end.group().rstrip(CLOSERS)
    after = text[end.end() : end.end() + 9].lstrip(_OPENERS)[:1]
    if marks != end.group() or marks in ("...", "…"):
        return after.islower()
    if marks != ".":
        return False
    if (mark := LINE_MARK.match(text, begin)) and mark.end() == end.end():
        return True
    before = _LAST_LETTERS.search(text[max(begin, end.start() - 12) : end.start()])
    last = before.group() if before else ""
    if len(last) == 1 and last.isupper() and last != "I":
        return True
    last = fold(last)
    return last in _NEVER_LAST or (last in _SELDOM_LAST and (after.islower() or after.isdecimal()))
