import re
from itertools import pairwise

from cutting import in_pieces
from hypothesis import given
from hypothesis import strategies as st

from planish.text.phrases import PhraseMatcher
from planish.text.span import Span

# Letters with two cases, one whose lower case is two characters, apostrophes, punctuation, spaces, a digit, marks.
CHARACTERS = "aAbBéÉßİ'’-. \n!1_"
TEXTS = st.text(CHARACTERS, max_size=30)
PHRASES = st.lists(st.text(CHARACTERS, max_size=5), max_size=6)

Places = set[tuple[int, int]]


def fold(text: str) -> str:
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text.replace("’", "'"))


def places_by_regex(phrases: list[str], text: str) -> Places:
    places = set()
    for phrase in filter(None, map(str.strip, phrases)):
        before = r"(?<!\w)" if re.match(r"\w", phrase[0]) else ""
        after = r"(?!\w)" if re.match(r"\w", phrase[-1]) else ""
        for match in re.finditer(f"(?={before}{re.escape(fold(phrase))}{after})", fold(text)):
            places.add((match.start(), match.start() + len(phrase)))
    return places


def places(spans: list[Span]) -> Places:
    return {(span.start, span.end) for span in spans}


@given(PHRASES, TEXTS, st.lists(st.integers(0, 30)))
def test_any_cutting_of_a_text_finds_what_a_regex_finds_in_the_whole(
    phrases: list[str], text: str, cuts: list[int]
) -> None:
    matcher = PhraseMatcher(phrases)
    state, found = matcher.start, list[Span]()
    ends = sorted({*cuts, 0, len(text)})
    for start, end in pairwise(ends):
        match = matcher.feed(state, text[start:end])
        state = match.state
        found += match.spans
    found += matcher.finish(state)
    assert places(found) == places_by_regex(phrases, text)
    assert len(found) == len(places(found))
    assert all(fold(text[span.start : span.end]) == fold(span.rule) for span in found)


@given(PHRASES, TEXTS, TEXTS, TEXTS)
def test_going_back_to_an_earlier_state_forgets_what_came_after_it(
    phrases: list[str], kept: str, forgotten: str, instead: str
) -> None:
    matcher = PhraseMatcher(phrases)
    earlier = matcher.feed(matcher.start, kept)
    matcher.finish(matcher.feed(earlier.state, forgotten).state)
    again = matcher.feed(earlier.state, instead)
    assert earlier.spans + again.spans + matcher.finish(again.state) == PhraseMatcher(phrases).locate(kept + instead)


@given(PHRASES, TEXTS)
def test_whatever_comes_next_starts_no_span_before_what_is_held_back(phrases: list[str], text: str) -> None:
    matcher = PhraseMatcher(phrases)
    match = matcher.feed(matcher.start, text)
    done = places(match.spans)
    for phrase in map(str.strip, phrases):
        for rest in (phrase[cut:] for cut in range(len(phrase) + 1)):
            for start, _ in places_by_regex(phrases, text + rest) - done:
                assert start >= len(text) - match.held_chars


@given(PHRASES, TEXTS)
def test_no_more_is_held_back_than_could_be_a_phrase(phrases: list[str], text: str) -> None:
    matcher = PhraseMatcher(phrases)
    assert matcher.feed(matcher.start, text).held_chars <= max((len(phrase.strip()) for phrase in phrases), default=0)
    assert matcher.feed(matcher.start, text + "§").held_chars == 0


def test_the_end_of_the_text_completes_a_word_that_ends_there() -> None:
    matcher = PhraseMatcher(["art", "of art"])
    match = matcher.feed(matcher.start, "a work of art")
    assert match.spans == []
    assert set(matcher.finish(match.state)) == {Span(7, 13, "of art"), Span(10, 13, "art")}


def test_a_word_is_not_found_inside_another() -> None:
    assert PhraseMatcher(["art"]).locate("party artist start smart art1 _art") == []


def test_phrases_that_end_in_punctuation_are_complete_at_once() -> None:
    matcher = PhraseMatcher(["oh!"])
    assert matcher.feed(matcher.start, "Oh!").spans == [Span(0, 3, "oh!")]


# --- options


def places_with_options(phrases: list[str], text: str, case_sensitive: bool, whole_words: bool) -> Places:
    seen = str if case_sensitive else fold
    text = seen(text).replace("’", "'")
    found = set()
    for phrase in phrases:
        wanted = seen(phrase.strip() if whole_words else phrase).replace("’", "'")
        for start in range(len(text)):
            end = start + len(wanted)
            if not wanted or text[start:end] != wanted:
                continue
            cut_words = [re.match(r"\w\w", text[max(0, at - 1) : at + 1]) for at in (start, end) if at]
            if not whole_words or not any(cut_words):
                found.add((start, end))
    return found


@given(PHRASES, TEXTS, st.lists(st.integers(0, 30)), st.booleans(), st.booleans())
def test_options_find_what_a_scan_of_the_whole_text_finds(
    phrases: list[str], text: str, cuts: list[int], case_sensitive: bool, whole_words: bool
) -> None:
    matcher = PhraseMatcher(phrases, case_sensitive, whole_words)
    found = in_pieces(matcher, text, cuts)
    assert places(found) == places_with_options(phrases, text, case_sensitive, whole_words)
    assert len(found) == len(places(found))


@given(PHRASES, TEXTS, TEXTS, st.booleans())
def test_inside_words_too_nothing_starts_before_what_is_held_back(
    phrases: list[str], text: str, rest: str, case_sensitive: bool
) -> None:
    matcher = PhraseMatcher(phrases, case_sensitive, whole_words=False)
    match = matcher.feed(matcher.start, text)
    after = matcher.feed(match.state, rest)
    assert all(span.start >= len(text) - match.held_chars for span in after.spans + matcher.finish(after.state))


def test_each_phrase_reports_its_rule_and_of_equal_phrases_the_first() -> None:
    matcher = PhraseMatcher({"delves": "delve", "Delves": "other"})
    assert matcher.locate("she delves") == [Span(4, 10, "delve")]


def test_what_is_remembered_of_a_word_does_not_grow_with_it() -> None:
    matcher = PhraseMatcher(["art"])
    for text in ("x" * 900, "art" * 300, "ar" + "-x" * 400):
        assert len(repr(matcher.feed(matcher.start, text).state)) < 60
