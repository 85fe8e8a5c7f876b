import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.text.words import WORD, fold, is_word, joined, word_runs, words

TEXTS = st.text("abÄé1'’- _.,\n\"", max_size=40)
TEXTS_OF_MANY_SCRIPTS = st.text("abé’- .\n眼中のカーทีन्दीשָׁكَе\u0301", max_size=30)


def test_apostrophes_and_hyphens_stand_inside_a_word() -> None:
    assert words("“Didn’t she?” - 'A well-known DUCK'S 3-day quack,' O'Neill's.") == [
        *("didn't", "she", "a", "well-known", "duck's", "3-day", "quack", "o'neill's")
    ]


def test_a_run_ends_at_anything_but_a_single_space() -> None:
    assert word_runs("Once upon a time, there was\na  cat") == [
        *(["once", "upon", "a", "time"], ["there", "was"], ["a"], ["cat"])
    ]


@given(st.text(st.characters(codec="iso-8859-1"), max_size=40))
def test_words_of_western_letters_are_letters_digits_and_what_joins_them(text: str) -> None:
    assert WORD.findall(text) == re.findall(r"\w+(?:['’-]\w+)*", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("他眼中闪过一丝光。", "他 眼 中 闪 过 一 丝 光"),
        ("彼はコーヒーを飲んだ。", "彼 は コ ー ヒ ー を 飲 ん だ"),
        ("ใช้ AI เขียน", "ใ ช ้ ai เ ข ี ย น"),
        ("그는 웃었다.", "그는 웃었다"),
        ("हिन्दी में लिखा है।", "हिन्दी में लिखा है"),
        ("قال: «كَلِمَة واحدة».", "قال كَلِمَة واحدة"),
        ("שָׁלוֹם, עולם!", "שָׁלוֹם עולם"),
        ("Er aß cafe\u0301-Creme.", "er aß cafe\u0301-creme"),
    ],
)
def test_scripts_without_spaces_are_cut_into_characters_and_no_other_is(text: str, expected: str) -> None:
    assert words(text) == expected.split()


def test_a_run_without_spaces_ends_at_a_space_too() -> None:
    assert word_runs("眼中,闪love 你 a b") == [["眼", "中"], ["闪", "love"], ["你"], ["a", "b"]]


@given(TEXTS_OF_MANY_SCRIPTS)
def test_a_run_stands_in_the_text_as_it_is_joined(text: str) -> None:
    runs = word_runs(text)
    assert [word for run in runs for word in run] == words(text)
    assert all(joined(run) in fold(text) for run in runs)
    assert all(word_runs(joined(run)) == [run] for run in runs)


@given(TEXTS_OF_MANY_SCRIPTS)
def test_a_character_of_a_longer_word_is_one_that_words_are_made_of(text: str) -> None:
    assert all(is_word(char) or char in "'-" for word in words(text) if len(word) > 1 for char in word)


@given(TEXTS)
def test_runs_hold_the_words_in_order(text: str) -> None:
    assert [word for run in word_runs(text) for word in run] == words(text)


@given(TEXTS)
def test_a_run_stands_in_the_text_as_it_is(text: str) -> None:
    assert all(" ".join(run) in fold(text) for run in word_runs(text))
