from hypothesis import given
from hypothesis import strategies as st

from planish.text.words import fold, word_runs, words

TEXTS = st.text("abÄé1'’- _.,\n\"", max_size=40)


def test_apostrophes_and_hyphens_stand_inside_a_word() -> None:
    assert words("“Didn’t she?” - 'A well-known DUCK'S 3-day quack,' O'Neill's.") == [
        *("didn't", "she", "a", "well-known", "duck's", "3-day", "quack", "o'neill's")
    ]


def test_a_run_ends_at_anything_but_a_single_space() -> None:
    assert word_runs("Once upon a time, there was\na  cat") == [
        *(["once", "upon", "a", "time"], ["there", "was"], ["a"], ["cat"])
    ]


@given(TEXTS)
def test_runs_hold_the_words_in_order(text: str) -> None:
    assert [word for run in word_runs(text) for word in run] == words(text)


@given(TEXTS)
def test_a_run_stands_in_the_text_as_it_is(text: str) -> None:
    assert all(" ".join(run) in fold(text) for run in word_runs(text))
