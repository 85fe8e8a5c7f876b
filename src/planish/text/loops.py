"""Text that goes round in circles, seen while it streams in."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from planish.text.advancing import AdvancingMatcher
from planish.text.span import Span

# Two words, for what a rule of one word rejects is a word that is on a list.
RULE = "doom loop"

# What repeats stands so often back to back, and covers so many characters in all.
LEAST_TIMES = 4
LEAST_CHARS = 60
# A ruler or the rule of a table repeats as well, but within a line or a few.
LEAST_CHARS_WITHOUT_LETTERS = 240
LONGEST_PERIOD = 2048

# Repetitions with a period of at most so many characters are noticed by the last so many characters standing there
# twice; these are compared whenever half as many have come in.
SCALES = (16, 32, 64, 128, 256, 512, 1024, LONGEST_PERIOD)
STEP = SCALES[0] // 2
# What repeats unnoticed is less than this long, and what it repeats stands within the window.
MOST_UNNOTICED = 3 * LONGEST_PERIOD // 2
WINDOW = MOST_UNNOTICED + LONGEST_PERIOD
# States share what they remember, but for the latest block.
BLOCK = 512
_WORD_BEGINS = re.compile(r"(?<!\w)(?<!\w['’-])\w")


class _Repetition(NamedTuple):
    """What has stood twice so far: its second occurrence begins at `start`, and by `end` it is a loop."""

    period: int
    start: int
    end: int


class _State(NamedTuple):
    """`seen` characters, the latest of them in `blocks` and `tail`.

    `repetitions` are those under way, one a scale at most. `looping` is the period of a loop that was found and still
    goes on.
    """

    seen: int = 0
    blocks: tuple[str, ...] = ()
    tail: str = ""
    held_chars: int = 0
    repetitions: tuple[_Repetition, ...] = ()
    looping: int = 0


class LoopMatcher(AdvancingMatcher):
    """Finds what is written over and over again, back to back and to the character.

    A loop is at least `LEAST_TIMES` occurrences that cover at least `LEAST_CHARS` characters in all: a word on and on,
    or four times the same paragraph. Where no letter or digit is among them they cover `LEAST_CHARS_WITHOUT_LETTERS`,
    since a line of dashes is a ruler and no loop. What repeats is at most `LONGEST_PERIOD` characters long.

    A span reaches from where the second occurrence begins to where all this is first true; of two loops that are
    complete at the same character the one of the shorter period is found. An occurrence begins with a word if there is
    one in it: the full stop before two sentences that repeat is not yet their repetition. However long a loop goes on
    it is one span, and what comes behind it is a text of its own.

    Held back is the longest end of the text that already stands in the `LONGEST_PERIOD` characters before: about a
    word in prose.

    Source: Fine and Wilf, Uniqueness theorems for periodic functions (1965). A string of `b` characters within a
    repetition whose shortest period is at most `b` stands last exactly one such period before: so one comparison a
    scale sees all periods of that scale, and no two of them are under way at once.
    """

    start = _State()

    def advance(self, state: tuple[Any, ...], text: str, spans: list[Span]) -> tuple[_State, int]:
        """See `AdvancingMatcher`."""
        after = _State(*state)
        window = "".join((*after.blocks, after.tail))
        most = after.held_chars + len(text)
        at = 0
        while at < len(text):
            piece = text[at : at + STEP - after.seen % STEP]
            if after.looping:
                after, window, read = _go_round(after, window, piece)
            else:
                after, window, read = _look(after, window, piece, spans)
            at += read
        held_chars = 0 if after.looping else _held(after, window, most)
        return after._replace(held_chars=held_chars), held_chars

    def finish(self, state: _State) -> list[Span]:
        """Nothing: a loop is known as soon as it is one."""
        return []


def _look(state: _State, window: str, piece: str, spans: list[Span]) -> tuple[_State, str, int]:
    """Go on by a piece, or only as far as it completes a loop: the state, the window, how many characters were read."""
    before, seen = state.seen, state.seen + len(piece)
    window += piece
    reach = {old: before + _repeated(window, len(piece), old.period) for old in state.repetitions}
    loops = [old for old in state.repetitions if old.end <= reach[old]]
    if loops:
        loop = min(loops, key=lambda loop: (loop.end, loop.period))
        spans.append(Span(loop.start, loop.end, RULE))
        window = window[: len(window) - (seen - loop.end)][-loop.period :]
        return _State(loop.end, (window,), looping=loop.period), window, loop.end - before
    going_on = tuple(old for old in state.repetitions if reach[old] == seen)
    if seen % STEP == 0:
        going_on += tuple(_noticed(window, seen, {old.period for old in going_on}))
    blocks, tail = state.blocks, state.tail + piece
    if len(tail) >= BLOCK:
        blocks, tail = (*blocks, tail)[-(WINDOW // BLOCK) :], ""
        window = "".join(blocks)
    return _State(seen, blocks, tail, repetitions=going_on), window, len(piece)


def _go_round(state: _State, window: str, piece: str) -> tuple[_State, str, int]:
    """Go on within a loop, or only to its end: behind it everything begins anew."""
    read = _repeated(window + piece, len(piece), state.looping)
    if read < len(piece):
        return _State(state.seen + read), "", read
    window = (window + piece)[-state.looping :]
    return state._replace(seen=state.seen + read, blocks=(window,)), window, read


def _repeated(window: str, newest: int, period: int) -> int:
    """How many of the newest characters repeat, from the first on, what stands a period before them."""
    begin = len(window) - newest
    fresh, earlier = window[begin:], window[begin - period : len(window) - period]
    if fresh == earlier:
        return newest
    return next(at for at, (new, old) in enumerate(zip(fresh, earlier, strict=True)) if new != old)


def _noticed(window: str, seen: int, known: set[int]) -> Iterator[_Repetition]:
    """The repetitions that are long enough to be seen now and are not known yet."""
    end = len(window)
    for scale in SCALES:
        if seen % (scale // 2) or end <= scale:
            return
        last = window.rfind(window[-scale:], max(0, end - 2 * scale), end - 1)
        period = end - scale - last
        # Shorter periods are noticed on their own scale.
        if last >= 0 and (period > scale // 2 or scale == SCALES[0]) and period not in known:
            begin = end - scale
            while begin > period and window[begin - 1] == window[begin - 1 - period]:
                begin -= 1
            yield _repetition(window, begin, period, shift=seen - end)


def _repetition(window: str, begin: int, period: int, shift: int) -> _Repetition:
    has_letters = any(char.isalnum() for char in window[begin : begin + period])
    least = LEAST_CHARS if has_letters else LEAST_CHARS_WITHOUT_LETTERS
    word = _WORD_BEGINS.search(window, begin, begin + period)
    end = begin - period + max(LEAST_TIMES * period, least)
    return _Repetition(period, shift + (word.start() if word else begin), shift + end)


def _held(state: _State, window: str, most: int) -> int:
    """How long the longest end of the text is, of `most` characters at most, that stands there twice."""
    noticed = max((state.seen - old.start for old in state.repetitions), default=0)
    lengths: Sequence[int] = range(1, min(most, MOST_UNNOTICED, len(window) - 1) + 1)
    return max(noticed, bisect_left(lengths, True, key=lambda length: not _stands_twice(window, length)))


def _stands_twice(window: str, length: int) -> bool:
    begin = len(window) - length
    return window.rfind(window[begin:], max(0, begin - LONGEST_PERIOD), len(window) - 1) >= 0
