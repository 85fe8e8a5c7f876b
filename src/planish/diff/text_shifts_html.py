"""Texts with every token in the colour of how much likelier it became: a piece of a page, alone or in a report.

The scale goes from orange over white to blue, both as light as each other: whoever sees fewer colours tells them apart,
and black text can be read on either. In print and in grey, the line below a token says the same.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from planish.diff.shifted_token import Likely, ShiftedToken
from planish.errors import UsageError

CLIP_NATS = 1.0
# Okabe and Ito's.
LESS_LIKELY, LIKELIER = (0xE6, 0x9F, 0x00), (0x56, 0xB4, 0xE9)
WHITE = 255
# A change of less than this share of the clip has no line below it.
LEAST_LINED = 0.1
LEGEND = (-1.0, -0.5, 0.0, 0.5, 1.0)
# What a page or a terminal would obey instead of showing it: control characters, and what turns the direction of
# writing around.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
PICTURES, FIRST_PRINTABLE = 0x2400, 0x20


class Mark(NamedTuple):
    """A character or more, whole, with what is said about the tokens that it is made of."""

    text: str
    kind: str
    colour: str
    label: str
    note: str


class Line(NamedTuple):
    """A text, and what is said about it as a whole."""

    heading: str
    marks: list[Mark]


def shifts_html(rows: Sequence[ShiftedToken], before: str, after: str, clip_nats: float = CLIP_NATS) -> Markup:
    """The texts whose tokens these are, coloured, with a legend; a token's values show where it is pointed at.

    Args:
        rows: all tokens, in order.
        before: the name of one model.
        after: the name of the other.
        clip_nats: a change of so much or more, either way, has the full colour.

    Raises:
        UsageError: the clip is not above 0.
    """
    if not clip_nats > 0:
        raise UsageError(f"clip_nats = {clip_nats} leaves no colours", "give a number above 0, such as 1")
    lines = [_line(number, list(own), clip_nats) for number, own in groupby(rows, lambda row: row.text_number)]
    legend = [(_signed(share * clip_nats), _colour(share * clip_nats, clip_nats)) for share in LEGEND]
    page = _template().render(lines=lines, legend=legend, before=_shown(before), after=_shown(after))
    return Markup(page)


@cache
def _template() -> Template:
    pages = Environment(
        loader=PackageLoader("planish", "diff"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return pages.get_template("text_shifts.html.jinja")


def _line(number: int, rows: Sequence[ShiftedToken], clip_nats: float) -> Line:
    changes = [row.change for row in rows if not row.is_prompt]
    words = "token" if len(changes) == 1 else "tokens"
    total, each = _signed(sum(changes)), _signed(sum(changes) / len(changes))
    heading = f"Text {number + 1}: {len(changes)} {words}, {total} nats in all, {each} each"
    return Line(heading, [_mark(whole, clip_nats) for whole in _wholes(rows)])


def _wholes(rows: Sequence[ShiftedToken]) -> Iterator[list[ShiftedToken]]:
    """The tokens of one character, or of whole ones, together."""
    whole: list[ShiftedToken] = []
    for row in rows:
        whole.append(row)
        if row.text:
            yield whole
            whole = []
    if whole:
        yield whole


def _mark(tokens: Sequence[ShiftedToken], clip_nats: float) -> Mark:
    # Log-probabilities of tokens in a row add up to that of what they are together.
    change = sum(token.change for token in tokens)
    last = tokens[-1]
    kinds = {
        "likelier": change >= LEAST_LINED * clip_nats,
        "less": change <= -LEAST_LINED * clip_nats,
        "special": last.is_special,
        "prompt": last.is_prompt,
        "break": last.text.startswith("\n"),
    }
    return Mark(
        text=_shown(last.text),
        kind=" ".join(kind for kind, is_so in kinds.items() if is_so),
        colour=_colour(change, clip_nats),
        label=f"{_quoted(last.text)}: {_signed(change)} nats",
        note="\n\n".join(map(_note, tokens)),
    )


def _note(token: ShiftedToken) -> str:
    return "\n".join(
        [
            f"{_quoted(token.text)} {_signed(token.change)} nats",
            f"before {_fixed(token.log_prob_before)}, rank {token.rank_before}: {_listed(token.top_before)}",
            f"after {_fixed(token.log_prob_after)}, rank {token.rank_after}: {_listed(token.top_after)}",
        ]
    )


def _listed(likely: Sequence[Likely]) -> str:
    return ", ".join(f"{_quoted(each.text)} {_fixed(each.log_prob)}" for each in likely)


def _quoted(text: str) -> str:
    return f"“{_shown(text)}”".replace("\n", "↵").replace("\t", "⇥") if text else "(part of a character)"


def _shown(text: str) -> str:
    return OBEYED.sub(lambda match: _sign(match.group()), text)


def _sign(char: str) -> str:
    return chr(PICTURES + ord(char)) if ord(char) < FIRST_PRINTABLE else f"<U+{ord(char):04X}>"


def _signed(nats: float) -> str:
    return _fixed(nats) if round(nats, 2) <= 0 else f"+{nats:.2f}"


def _fixed(nats: float) -> str:
    # Rounded first, so that nothing is minus 0.
    return f"{round(nats, 2) + 0.0:.2f}".replace("-", "−")


def _colour(change: float, clip_nats: float) -> str:
    """White at 0, the full colour at the clip and beyond."""
    share = min(1.0, abs(change) / clip_nats)
    full = LIKELIER if change > 0 else LESS_LIKELY
    return "#" + "".join(f"{round(WHITE + share * (part - WHITE)):02x}" for part in full)
