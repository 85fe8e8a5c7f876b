from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from planish.text.repetition import words_in_repetitions


def slow(said: Sequence[str]) -> int:
    """A word is counted when any four words around it stand elsewhere in the text too."""
    fours = [tuple(said[start : start + 4]) for start in range(len(said) - 3)]
    return sum(
        any(start <= place < start + 4 and fours.count(four) > 1 for start, four in enumerate(fours))
        for place in range(len(said))
    )


@given(st.lists(st.sampled_from("ab"), max_size=40) | st.lists(st.sampled_from("abcdef"), max_size=40))
def test_every_word_inside_four_that_come_again_is_counted_once(said: list[str]) -> None:
    assert words_in_repetitions(said) == slow(said)


def test_fewer_than_four_words_repeat_nothing() -> None:
    assert words_in_repetitions(["no", "no", "no"]) == 0
    assert words_in_repetitions([]) == 0
