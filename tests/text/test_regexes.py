import re

import pytest
from cutting import in_pieces
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import UsageError
from planish.text.regexes import WINDOW, RegexMatcher
from planish.text.span import Span

PATTERNS = [
    *(r"ab", r"a+", r"a+?b", r"\bab\b", r"b$", r"^a", r"a.*b", r"a.{3,6}b", r"(?:a|ab)(?:c|bcd)", r"[^a-z]c"),
    *(r"É", r"a\B", r"x*", r"(a*)*b", r"\.", r"c[.!]", r"(?:b$|ca)", r"(?P<x>c)|(?P<x>d)", r"^b|a$", r"\w+ \w+"),
]
CHARACTERS = "aaabbbcdAÉé .!?\n'”"
TEXTS = st.text(CHARACTERS, max_size=40)
LISTS = st.lists(st.sampled_from(PATTERNS), max_size=4, unique=True)


def sentences(text: str) -> list[tuple[int, str]]:
    """Each with where it begins, without white space around it."""
    ends = [match.span() for match in re.finditer(r"""(?<=[.!?…])(?P<closers>["'”’»)\]*]*)\s|\n""", text)]
    cut, begin = [], 0
    for end in [*(end - 1 for _, end in ends), len(text)]:
        sentence = text[begin:end]
        cut.append((begin + len(sentence) - len(sentence.lstrip()), sentence.lstrip()))
        begin = end + 1
    return cut


def slowly(patterns: list[str], text: str) -> set[tuple[int, int, str]]:
    """In every sentence, of all places that Python's own engine can match, what ends first, again and again."""
    found = set()
    for start, sentence in sentences(text):
        for pattern in patterns:
            compiled = re.compile(in_python(pattern), re.IGNORECASE)
            begin = 0
            while places := [
                (end, first)
                for first in range(begin, len(sentence))
                for end in range(first + 1, len(sentence) + 1)
                if matches_exactly(compiled, sentence, first, end)
            ]:
                end, first = min(places)
                found.add((start + first, start + end, pattern))
                begin = end
    return found


def in_python(pattern: str) -> str:
    """What RE2 takes a pattern for: boundaries and word characters are ASCII."""
    word = "[A-Za-z0-9_]"
    before, after = f"(?<={word})", f"(?={word})"
    no_before, no_after = f"(?<!{word})", f"(?!{word})"
    boundary, inside = (f"(?:{before}{no_after}|{no_before}{after})", f"(?:{before}{after}|{no_before}{no_after})")
    for theirs, ours in (("?P<x>", "?:"), ("$", r"\Z"), (r"\w", word), (r"\b", boundary), (r"\B", inside)):
        pattern = pattern.replace(theirs, ours)
    return pattern


def matches_exactly(compiled: re.Pattern[str], text: str, start: int, end: int) -> bool:
    """Seen in its surroundings, which a pattern may look at by a boundary."""
    exact = re.compile(rf"(?s:.{{{start}}})(?:{compiled.pattern})(?=(?s:.{{{len(text) - end}}})\Z)", re.IGNORECASE)
    # A beginning is one only at the beginning.
    if compiled.pattern.startswith("^"):
        exact = re.compile(rf"(?:{compiled.pattern})(?=(?s:.{{{len(text) - end}}})\Z)", re.IGNORECASE)
        match = exact.search(text)
        return match is not None and match.start() == start
    return exact.match(text) is not None


@given(LISTS, TEXTS, st.lists(st.integers(0, 40)))
def test_any_cutting_of_a_text_finds_what_ends_first_in_each_sentence(
    patterns: list[str], text: str, cuts: list[int]
) -> None:
    found = in_pieces(RegexMatcher(patterns), text, cuts)
    assert set(found) == slowly(patterns, text)
    assert len(found) == len(set(found))


@given(LISTS, st.text(CHARACTERS, max_size=60), st.integers(1, 40), st.lists(st.integers(0, 2000), max_size=20))
def test_any_cutting_of_a_sentence_longer_than_the_window_finds_the_same(
    patterns: list[str], part: str, times: int, cuts: list[int]
) -> None:
    matcher = RegexMatcher(patterns)
    text = part.replace("\n", "").replace(" ", "") * times
    assert sorted(in_pieces(matcher, text, cuts)) == sorted(matcher.locate(text))


@given(st.integers(0, 3 * WINDOW), st.integers(3, WINDOW // 2), st.booleans())
def test_a_match_of_half_a_window_is_found_wherever_it_stands(before: int, length: int, boundary: bool) -> None:
    pattern = r"\b\(x+\)" if boundary else r"\(x+\)"
    text = "a" * (before + 1) + "(" + "x" * (length - 2) + ")" + "a" * WINDOW
    assert RegexMatcher([pattern]).locate(text) == [Span(before + 1, before + 1 + length, pattern)]


def test_the_middle_of_a_long_sentence_is_not_its_beginning() -> None:
    assert RegexMatcher(["^a"]).locate("a" * (4 * WINDOW)) == [Span(0, 1, "^a")]


def test_a_match_is_reported_in_the_feed_that_writes_its_end() -> None:
    matcher = RegexMatcher(["not just .{1,40}, but"])
    match = matcher.feed(matcher.start, "It was not just a door, b")
    assert match.spans == []
    match = matcher.feed(match.state, "ut")
    assert match.spans == [Span(7, 27, "not just .{1,40}, but")]
    assert matcher.feed(match.state, "ler, but").spans == []


def test_a_boundary_waits_for_the_character_after_it() -> None:
    matcher = RegexMatcher([r"\bart\b"])
    match = matcher.feed(matcher.start, "some art")
    assert match.spans == []
    assert matcher.feed(match.state, "ist").spans == []
    assert matcher.feed(match.state, ",").spans == matcher.finish(match.state) == [Span(5, 8, r"\bart\b")]


@given(LISTS, TEXTS, TEXTS)
def test_whatever_comes_next_starts_no_span_before_what_is_held_back(patterns: list[str], text: str, rest: str) -> None:
    matcher = RegexMatcher(patterns)
    match = matcher.feed(matcher.start, text)
    after = matcher.feed(match.state, rest)
    for span in after.spans + matcher.finish(after.state):
        assert span.start >= len(text) - match.held_chars


@given(st.text(CHARACTERS, max_size=2000))
def test_what_is_held_back_has_a_limit(text: str) -> None:
    matcher = RegexMatcher(["a.*b"])
    assert matcher.feed(matcher.start, text).held_chars <= WINDOW
    assert matcher.feed(matcher.start, text + "\n").held_chars == 0


@pytest.mark.parametrize("refused", ["(", r"(?=x)", r"(a)\1", "(?<!b)a", "a{2000}"])
def test_a_pattern_that_re2_does_not_read_is_refused_by_its_name(refused: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(refused))) as raised:
        RegexMatcher(["fine", refused])
    assert raised.value.hint


def test_patterns_that_cannot_stand_in_one_alternation_are_found_each() -> None:
    # A quotation that is left open would swallow what comes behind it.
    assert [span.rule for span in RegexMatcher([r"\Qa|b", "c"]).locate("a|b c")] == [r"\Qa|b", "c"]


def test_a_pattern_that_backtracking_would_never_finish_is_read_to_the_end() -> None:
    assert RegexMatcher(["(a+)+$", "(a|aa)+b"]).locate("a" * 100_000 + "!") == []
