import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from cutting import in_pieces
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.text import loops
from planish.text.loops import LEAST_CHARS, LEAST_CHARS_WITHOUT_LETTERS, LEAST_TIMES, LONGEST_PERIOD, RULE, LoopMatcher
from planish.text.span import Span
from planish.text.words import WORD

MATCHER = LoopMatcher()
PROSE = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing."
)

# Units in units, so that repetitions of every length break off, overlap and stand in one another.
LETTERS = st.text("aab -", min_size=1, max_size=5)
UNITS = st.lists(st.tuples(LETTERS, st.integers(1, 9)), min_size=1, max_size=4).map(
    lambda parts: "".join(unit * times for unit, times in parts)
)
TEXTS = st.lists(st.tuples(LETTERS | UNITS, st.integers(1, 70)), max_size=6).map(
    lambda parts: "".join((unit * times)[:700] for unit, times in parts)
)
CUTS = st.lists(st.integers(0, 2000), max_size=20)


def slowly(text: str) -> list[Span]:
    """Every period at every character: how long what ends there has had it."""
    found: list[Span] = []
    origin = at = 0
    same: dict[int, int] = {}
    while at < len(text):
        done = []
        for period in range(1, min(LONGEST_PERIOD, at - origin) + 1):
            same[period] = same.get(period, 0) + 1 if text[at] == text[at - period] else 0
            begin = at + 1 - same[period]
            unit = text[begin - period : begin]
            least = LEAST_CHARS if re.search(r"[^\W_]", unit) else LEAST_CHARS_WITHOUT_LETTERS
            if same[period] + period >= max(LEAST_TIMES * period, least):
                done.append((period, begin))
        at += 1
        if done:
            period, begin = min(done)
            found.append(Span(occurrence(text[origin:], begin - origin, period) + origin, at, RULE))
            while at < len(text) and text[at] == text[at - period]:
                at += 1
            origin, same = at, {}
    return found


def occurrence(text: str, begin: int, period: int) -> int:
    """Where a word begins in an occurrence, else where the occurrence begins."""
    words = [match.start() for match in WORD.finditer(text)]
    return next((word for word in words if begin <= word < begin + period), begin)


@settings(max_examples=150)
@given(TEXTS, CUTS)
def test_any_cutting_of_a_text_finds_what_the_slow_reference_finds(text: str, cuts: list[int]) -> None:
    assert in_pieces(MATCHER, text, cuts) == MATCHER.locate(text) == slowly(text)


@given(TEXTS, TEXTS, CUTS)
def test_whatever_comes_next_starts_no_span_before_what_is_held_back(text: str, rest: str, cuts: list[int]) -> None:
    state = MATCHER.start
    pieces = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    held_chars = 0
    for start, end in pairwise(pieces):
        state, _, held_chars = MATCHER.feed(state, text[start:end])
    assert held_chars == MATCHER.feed(MATCHER.start, text).held_chars
    after = MATCHER.feed(state, rest)
    assert all(span.start >= len(text) - held_chars for span in after.spans)
    assert MATCHER.finish(after.state) == []


@given(st.integers(2, LONGEST_PERIOD), st.integers(0, 3 * LONGEST_PERIOD), st.integers(0, 999))
@settings(max_examples=20)
def test_a_loop_of_any_period_is_found_wherever_it_stands(period: int, before: int, seed: int) -> None:
    draws = np.random.default_rng(seed)

    def noise(length: int) -> str:
        return "".join(draws.choice(list("abcdefghij"), length))

    # Framed, so that nothing around it goes on with what repeats.
    head, unit = noise(before) + "(", noise(period - 1) + "."
    length = max(LEAST_TIMES * period, LEAST_CHARS)
    text = head + (unit * LEAST_CHARS)[:length]
    assert MATCHER.locate(text + ")" + noise(99)) == [Span(len(head) + period, len(head) + length, RULE)]
    assert MATCHER.locate(text[:-1] + ")" + noise(99)) == []
    # However little of the second occurrence stands there, all of it is held back.
    for begun in (1, 2, min(9, period), period):
        assert MATCHER.feed(MATCHER.start, text[: len(head) + period + begun]).held_chars >= begun


def test_a_period_that_is_too_long_is_not_found() -> None:
    unit = "".join(f"{number} " for number in range(LONGEST_PERIOD))
    assert len(MATCHER.locate(unit[: LONGEST_PERIOD - 1] + "." + (unit[: LONGEST_PERIOD - 1] + ".") * 3)) == 1
    assert MATCHER.locate((unit[:LONGEST_PERIOD] + ".") * 9) == []


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("word " * 12, "word"),
        ("a" * LEAST_CHARS, "a"),
        ("He went out. I will go now." + " I will go now." * 5, "I will go now."),
        ("walking" + " talking" * 12, "talking"),
        ("哈" * LEAST_CHARS, "哈"),
        ("\n\n".join(["Wait, let me check that again: 3 times 4 is 12."] * 4) + "\n\n", "Wait"),
    ],
)
def test_the_span_starts_with_the_second_occurrence(text: str, second: str) -> None:
    (span,) = MATCHER.locate(text)
    first = text.index(second)
    assert span.start == text.index(second, first + 1)


@pytest.mark.parametrize("text", ["word " * 11, ("A sentence of nearly thirty chars. ") * 3, PROSE, PROSE * 3, ""])
def test_less_is_no_loop(text: str) -> None:
    assert MATCHER.locate(text) == []


@pytest.mark.parametrize(
    "ruler", ["-" * 120, "=" * 200, "* " * 40, "|-----" * 20 + "|", "." * 100, "_" * 150, "+---" * 30 + "+\n"]
)
def test_a_ruler_is_no_loop_and_punctuation_on_and_on_is_one(ruler: str) -> None:
    assert MATCHER.locate(f"Title\n{ruler}\nText") == []
    assert len(MATCHER.locate(f"Title\n{ruler * 5}\nText")) == 1


def test_a_loop_is_one_span_however_long_it_goes_on_and_another_one_is_another() -> None:
    text = "on and on " * 1000 + "until it ended. " + "again " * 30
    first, second = MATCHER.locate(text)
    assert text[first.end :].startswith("on and on ")
    assert text[second.start :].startswith("again ")
    assert second.start > text.index("until")


def test_little_of_prose_is_held_back_and_nothing_of_a_loop_that_was_let_pass() -> None:
    state, held = MATCHER.start, []
    for char in PROSE:
        state, _, held_chars = MATCHER.feed(state, char)
        held.append(held_chars)
    # ", it was the epoch of " stands there twice.
    assert max(held) < 30
    assert sum(held) < 10 * len(PROSE)
    assert MATCHER.feed(MATCHER.start, "on and on " * 99).held_chars == 0


@pytest.mark.parametrize("unit", ["", "ab" * 20, "on and on " * 300])
def test_what_is_remembered_has_a_limit(unit: str) -> None:
    text = "".join(f"{number} {unit}" for number in range(300))
    state = MATCHER.start
    for start in range(0, len(text), 97):
        state = MATCHER.feed(state, text[start : start + 97]).state
        assert len(repr(state)) < 2 * loops.WINDOW


def states_after(pieces: Sequence[str]) -> list[object]:
    states: list[object] = [MATCHER.start]
    for piece in pieces:
        states.append(MATCHER.feed(states[-1], piece).state)
    return states


@given(TEXTS, TEXTS)
def test_a_stream_that_goes_back_takes_up_an_earlier_state(text: str, other: str) -> None:
    states = states_after([text[at : at + 5] for at in range(0, len(text), 5)])
    known = MATCHER.feed(states[len(states) // 2], other)
    states_after([other, text])
    assert MATCHER.feed(states[len(states) // 2], other) == known
