import re
from itertools import pairwise

import pytest
from cutting import in_pieces
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import UsageError
from planish.text.ngrams import NgramMatcher
from planish.text.span import Span
from planish.text.words import FUNCTION_WORDS, WORD, fold

# Content words, function words, parts and extensions of both, and all that may stand between.
PIECES = [
    "deep",
    "breath",
    "Deep",
    "BREATH",
    "dee",
    "p",
    "took",
    "took-in",
    "didn’t",
    "the",
    "a",
    "th",
    "her",
    "'",
    "’",
]
GAPS = [" ", " ", " ", ",", "-", "\n", ".", ". ", "!", "?'", '." ', "…", ")", "3.5", "\t", "é", "_", "unendingly" * 4]
TEXTS = st.lists(st.sampled_from(PIECES + GAPS), max_size=25).map("".join)
NGRAMS = st.lists(
    st.lists(st.sampled_from(["deep", "breath", "took", "the", "didn't"]), min_size=1, max_size=4), max_size=5
).map(lambda ngrams: [" ".join(ngram) for ngram in ngrams if set(ngram) != {"the"}])


def sentences(text: str) -> list[tuple[int, str]]:
    """Each with where it begins."""
    ends = [0, *(match.end() for match in re.finditer(r"""[.!?…]["'”’»)\]*]*\s|\n""", text)), len(text)]
    return [(start, text[start:end]) for start, end in pairwise(ends)]


def slowly(ngrams: list[str], text: str) -> list[tuple[int, int]]:
    """Every window of content words in every sentence."""
    wanted = {tuple(word for word in ngram.split() if word not in FUNCTION_WORDS) for ngram in ngrams}
    found = []
    for start, sentence in sentences(text):
        said = [match for match in WORD.finditer(sentence) if fold(match.group()) not in FUNCTION_WORDS]
        for first in range(len(said)):
            for last in range(first, len(said)):
                if tuple(fold(match.group()) for match in said[first : last + 1]) in wanted:
                    found.append((start + said[first].start(), start + said[last].end()))
    return sorted(found)


def places(spans: list[Span]) -> list[tuple[int, int]]:
    return sorted((span.start, span.end) for span in spans)


@given(NGRAMS, TEXTS, st.lists(st.integers(0, 80)))
def test_any_cutting_of_a_text_finds_every_window_of_content_words(
    ngrams: list[str], text: str, cuts: list[int]
) -> None:
    matcher = NgramMatcher(ngrams)
    found = in_pieces(matcher, text, cuts)
    assert places(found) == slowly(ngrams, text)
    assert sorted(found) == sorted(matcher.locate(text))


@given(NGRAMS, TEXTS)
def test_letter_by_letter_and_at_once_are_the_same(ngrams: list[str], text: str) -> None:
    matcher = NgramMatcher(ngrams)
    state, found = matcher.start, list[Span]()
    for letter in text:
        match = matcher.feed(state, letter)
        state = match.state
        found += match.spans
    assert found + matcher.finish(state) == matcher.locate(text)


@given(NGRAMS, TEXTS, TEXTS)
def test_whatever_comes_next_starts_no_span_before_what_is_held_back(ngrams: list[str], text: str, rest: str) -> None:
    matcher = NgramMatcher(ngrams)
    match = matcher.feed(matcher.start, text)
    after = matcher.feed(match.state, rest)
    for span in after.spans + matcher.finish(after.state):
        assert span.start >= len(text) - match.held_chars


@given(NGRAMS, TEXTS)
def test_nothing_is_held_back_behind_the_end_of_a_sentence(ngrams: list[str], text: str) -> None:
    matcher = NgramMatcher(ngrams)
    assert matcher.feed(matcher.start, text + "\n").held_chars == 0


def test_what_is_remembered_does_not_grow_with_a_word_or_a_gap() -> None:
    matcher = NgramMatcher(["deep breath"])
    for part in ("x", "x-", "'"):
        sizes = {len(repr(matcher.feed(matcher.start, "deep." + part * length).state)) for length in (200, 205, 900)}
        assert max(sizes) < 300


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("She took a DEEP, very deep breath.", ["DEEP, very deep", "deep breath"]),
        ("She breathed deep. Breath came.", []),
        ("“So deep!” Breath came.", []),
        ("deep\nbreath", []),
        ("deeper breath, deep breaths, deep-breath, deep’s breath", []),
        ("so deep (and her) breath", ["deep (and her) breath"]),
        ("deep 3.5 breath", []),
        ("The deep.breath", ["deep.breath"]),
    ],
)
def test_function_words_and_punctuation_may_stand_between_but_no_end_of_a_sentence(text: str, found: list[str]) -> None:
    spans = NgramMatcher(["a deep breath", "Deep deep"]).locate(text)
    assert [text[span.start : span.end] for span in spans] == found
    assert {span.rule for span in spans} <= {"a deep breath", "Deep deep"}


@pytest.mark.parametrize("nothing", ["", "of the", "…"])
def test_an_ngram_without_a_content_word_is_refused(nothing: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(nothing))):
        NgramMatcher(["deep breath", nothing])
