import sys

from hypothesis import example, given
from hypothesis import strategies as st

from planish.text.words import fold


def folded(text: str) -> str:
    """Character by character."""
    return "".join(lower if len(lower := char.lower()) == 1 else char for char in text.replace("’", "'"))


def test_every_character_is_folded_by_itself() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert fold(every) == folded(every)
    assert fold(fold(every)) == fold(every)


@given(st.text())
@example("\u039f\u0394\u039f\u03a3 İSTANBUL ’ \N{KELVIN SIGN}")
def test_what_stands_around_a_character_changes_nothing(text: str) -> None:
    assert fold(text) == folded(text)
