from hypothesis import given
from hypothesis import strategies as st

from planish.text.word_places import word_places
from planish.text.words import WORD

TEXTS = st.text("abÉ\u0301眼の\ud800'’-_1 .\n", max_size=40) | st.text(max_size=40)


@given(TEXTS)
def test_they_are_where_a_regex_finds_words(text: str) -> None:
    places = word_places(text)
    assert list(zip(places.starts, places.ends, strict=True)) == [word.span() for word in WORD.finditer(text)]


@given(TEXTS, st.lists(st.integers(0, 40), unique=True))
def test_a_word_is_inside_when_a_span_has_a_character_of_it(text: str, cuts: list[int]) -> None:
    cuts = sorted(cut for cut in cuts if cut <= len(text))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    inside = [
        word
        for word in WORD.finditer(text)
        if any(start <= at < end for at in range(*word.span()) for start, end in spans)
    ]
    assert word_places(text).inside([start for start, _ in spans], [end for _, end in spans]) == len(inside)
