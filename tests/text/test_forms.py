import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import UsageError
from planish.text.forms import inflected
from planish.text.words import FUNCTION_WORDS


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("delve", {"delve", "delves", "delved", "delving"}),
        ("delved", {"delve", "delves", "delved", "delving"}),
        ("tapestries", {"tapestry", "tapestries"}),
        ("went", {"go", "goes", "going", "gone", "went"}),
        ("rose", {"rose", "roses"}),
        ("Delve", {"Delve", "Delves", "Delved", "Delving"}),
        ("DELVE", {"DELVE", "DELVES", "DELVED", "DELVING"}),
        ("blorptang", {"blorptang"}),
        ("the", {"the"}),
    ],
)
def test_a_word_stands_for_all_its_forms(word: str, forms: set[str]) -> None:
    assert set(inflected(word)) == forms


def test_words_of_a_phrase_are_inflected_each_on_its_own() -> None:
    assert {"delves into the tapestry", "delving into the tapestries"} <= set(inflected("delve into the tapestry"))


@given(st.text("ab deep the'’-.,\n", max_size=12))
def test_the_text_itself_comes_first_and_nothing_comes_twice(text: str) -> None:
    forms = inflected(text)
    assert forms[0] == text
    assert len(forms) == len(set(forms))


@given(st.lists(st.sampled_from(sorted(FUNCTION_WORDS)), max_size=5).map(" ".join))
def test_function_words_have_one_form(text: str) -> None:
    assert inflected(text) == [text]


def test_too_many_forms_are_refused_with_their_number() -> None:
    with pytest.raises(UsageError, match=r"\d{4,} inflected forms"):
        inflected("dance walk talk sing play laugh whisper smile")
