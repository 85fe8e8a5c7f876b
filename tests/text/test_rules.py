from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from planish.text.ngrams import NgramMatcher
from planish.text.phrases import PhraseMatcher
from planish.text.regexes import RegexMatcher
from planish.text.rules import RuleMatcher
from planish.text.span import Span

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
    state, found = matcher.start, list[Span]()
    for start, end in pairwise(sorted({*(cut for cut in cuts if cut < len(text)), 0, len(text)})):
        match = matcher.feed(state, text[start:end])
        state = match.state
        found += match.spans
    found += matcher.finish(state)
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
