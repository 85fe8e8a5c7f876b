import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from planish.text.phrases import PhraseMatcher
from planish.text.sections import OutsideSections
from planish.text.span import Span

TAGS = ("<t>", "</t>")
PIECES = ["a", "b", " ", "<t>", "</t>", "<", "/", "t>", "</", "<t", "a b"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
PHRASES = st.lists(st.sampled_from(["a", "a b", "b", "<", "< t", "/t>", "t>"]), max_size=4)


def slowly(phrases: list[str], text: str, is_inside: bool) -> list[Span]:
    """Every stretch outside all sections, on its own."""
    found, begin = [], 0
    while begin <= len(text):
        tag = TAGS[is_inside]
        end = text.find(tag, begin)
        stretch = text[begin:] if end < 0 else text[begin:end]
        if not is_inside:
            spans = PhraseMatcher(phrases).locate(stretch)
            found += [Span(span.start + begin, span.end + begin, span.rule) for span in spans]
        if end < 0:
            break
        begin, is_inside = end + len(tag), not is_inside
    return found


@given(
    PHRASES,
    st.sampled_from(["", "<t>", "<t>\n", "x<t>y</t>", "<t></t><t>", "</t>"]),
    TEXTS,
    st.lists(st.integers(0, 60)),
)
def test_any_cutting_finds_what_each_stretch_outside_holds(
    phrases: list[str], prompt: str, text: str, cuts: list[int]
) -> None:
    matcher = OutsideSections(PhraseMatcher(phrases), *TAGS)
    state, found = matcher.after(prompt), list[Span]()
    for start, end in pairwise(sorted({*(cut for cut in cuts if cut < len(text)), 0, len(text)})):
        match = matcher.feed(state, text[start:end])
        state = match.state
        found += match.spans
    is_inside = re.search(r"<t>(?!.*</t>)", prompt, re.DOTALL) is not None
    assert sorted(found + matcher.finish(state)) == sorted(slowly(phrases, text, is_inside))


@given(PHRASES, TEXTS, TEXTS)
def test_whatever_comes_next_starts_no_span_before_what_is_held_back(phrases: list[str], text: str, rest: str) -> None:
    matcher = OutsideSections(PhraseMatcher(phrases), *TAGS)
    match = matcher.feed(matcher.start, text)
    after = matcher.feed(match.state, rest)
    assert all(span.start >= len(text) - match.held_chars for span in after.spans + matcher.finish(after.state))


def test_what_may_be_a_tag_is_held_back_until_it_is_none() -> None:
    matcher = OutsideSections(PhraseMatcher(["<thin"]), "<think>", "</think>")
    match = matcher.feed(matcher.start, "so <thi")
    assert match.held_chars == 4
    match = matcher.feed(match.state, "n ")
    assert (match.spans, match.held_chars) == ([Span(3, 8, "<thin")], 0)


def test_inside_a_section_nothing_is_held_back() -> None:
    matcher = OutsideSections(PhraseMatcher(["deep"]), "<think>", "</think>")
    assert matcher.feed(matcher.after("<think>\n"), "so dee").held_chars == 0
