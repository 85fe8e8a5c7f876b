import pytest
from cutting import in_pieces
from hypothesis import given
from hypothesis import strategies as st

from planish.text.ngrams import NgramMatcher
from planish.text.pattern import Pattern
from planish.text.phrases import PhraseMatcher
from planish.text.regexes import RegexMatcher
from planish.text.rules import RuleMatcher

PHRASES = ["deep", "the deep", "breath."]
NGRAMS = ["deep breath", "took deep breath"]
REGEXES = [r"took \w+", r"deep.*breath\b"]
RULES = (
    [(text, "phrase") for text in PHRASES]
    + [(text, "ngram") for text in NGRAMS]
    + [(text, "regex") for text in REGEXES]
)
PIECES = ["deep", "breath", "took", "the", ".", "!", "\n", " ", " ", "b"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(st.sets(st.sampled_from(RULES)), TEXTS, st.lists(st.integers(0, 60)))
def test_every_kind_finds_what_it_finds_alone(rules: set[tuple[str, str]], text: str, cuts: list[int]) -> None:
    matcher = RuleMatcher(sorted(rules))
    found = in_pieces(matcher, text, cuts)
    alone = [
        *PhraseMatcher(rule for rule, kind in rules if kind == "phrase").locate(text),
        *NgramMatcher(rule for rule, kind in rules if kind == "ngram").locate(text),
        *RegexMatcher(rule for rule, kind in rules if kind == "regex").locate(text),
    ]
    assert sorted(found) == matcher.locate(text) == sorted(alone)


@given(st.sets(st.sampled_from(RULES)), TEXTS, TEXTS)
def test_as_much_is_held_back_as_any_kind_needs(rules: set[tuple[str, str]], text: str, rest: str) -> None:
    matcher = RuleMatcher(sorted(rules))
    match = matcher.feed(matcher.start, text)
    after = matcher.feed(match.state, rest)
    assert all(span.start >= len(text) - match.held_chars for span in after.spans + matcher.finish(after.state))


def test_no_rules_find_nothing_and_hold_nothing_back() -> None:
    matcher = RuleMatcher([])
    match = matcher.feed(matcher.start, "took a deep breath")
    assert (match.spans, match.held_chars, matcher.finish(match.state)) == ([], 0, [])


# --- options


def found_by(pattern: Pattern, text: str) -> list[str]:
    return [text[span.start : span.end] for span in RuleMatcher([pattern]).locate(text)]


def test_inflected_phrases_are_found_and_reported_by_their_rule() -> None:
    matcher = RuleMatcher([Pattern("delve into", inflections=True)])
    text = "She delved into it, delves into it, is Delving into it; delve in."
    spans = matcher.locate(text)
    assert [text[span.start : span.end] for span in spans] == ["delved into", "delves into", "Delving into"]
    assert {span.rule for span in spans} == {"delve into"}


def test_inflected_ngrams_are_found() -> None:
    pattern = Pattern("heart pound", "ngram", inflections=True)
    assert found_by(pattern, "Their hearts were pounding. Hearts! Pounding.") == ["hearts were pounding"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (Pattern("Art"), ["art", "Art"]),
        (Pattern("Art", case_sensitive=True), ["Art"]),
        (Pattern("art", whole_words=False), ["art", "art", "Art"]),
        (Pattern(" art", whole_words=False), [" art", " Art"]),
        (Pattern("art", case_sensitive=True, whole_words=False), ["art", "art"]),
        (Pattern("Art|party", "regex"), ["art", "art", "Art"]),
        (Pattern("Art|party", "regex", case_sensitive=True), ["party", "Art"]),
        (Pattern(r"\QArt", "regex", case_sensitive=True), ["Art"]),
    ],
)
def test_every_option_changes_what_is_found(pattern: Pattern, found: list[str]) -> None:
    assert found_by(pattern, " art of party Art") == found


WITH_OPTIONS = [
    Pattern("take", inflections=True),
    Pattern("Deep", case_sensitive=True),
    Pattern("ee", whole_words=False),
    Pattern("p b", case_sensitive=True, whole_words=False),
    Pattern("took deep", "ngram", inflections=True),
    Pattern("D[a-z]+", "regex", case_sensitive=True),
    Pattern("d[a-z]+p b", "regex"),
]
MORE_TEXTS = st.lists(st.sampled_from([*PIECES, "Deep", "takes", "taking", "deepest", "BREATH"]), max_size=20).map(
    "".join
)


@given(st.sets(st.sampled_from(WITH_OPTIONS)), MORE_TEXTS, st.lists(st.integers(0, 80)))
def test_options_find_alone_and_in_pieces_what_they_find_together(
    rules: set[Pattern], text: str, cuts: list[int]
) -> None:
    matcher = RuleMatcher(rules)
    found = in_pieces(matcher, text, cuts)
    assert sorted(found) == sorted(span for rule in rules for span in RuleMatcher([rule]).locate(text))
