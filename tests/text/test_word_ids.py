import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from planish.text.word_ids import BREAK, NumberedTexts, number_words
from planish.text.words import WORD, fold, word_runs

# Half a character, as JSON can have it.
HALF = "\ud800"
LETTERS = st.text(f"abAÉ '’-.\n_ 東京ΣİไทѢ\u0301{HALF}", max_size=25)
TEXTS = st.lists(st.one_of(st.text(max_size=20), LETTERS), max_size=5)


def runs(numbered: NumberedTexts, texts: int) -> list[list[list[str]]]:
    """The runs of each text, as a reader of the numbers sees them."""
    found: list[list[list[str]]] = [[] for _ in range(texts)]
    within = False
    for number, text in zip(numbered.ids.tolist(), numbered.texts.tolist(), strict=True):
        if number != BREAK:
            if not within:
                found[text].append([])
            found[text][-1].append(numbered.words[number])
        within = number != BREAK
    return found


@given(TEXTS)
@example([])
@example(["", "a  b"])
@example(["a東 京 b"])
@example(["東", "京", " 東 "])
@example(["x a 東", "a x 東"])
def test_numbers_say_what_the_runs_of_words_say(texts: list[str]) -> None:
    assert runs(number_words(texts), len(texts)) == [word_runs(text) for text in texts]


@given(TEXTS)
def test_a_word_has_one_number_and_a_capital_where_its_first_letter_is_one(texts: list[str]) -> None:
    numbered = number_words(texts)
    said = [match.group() for text in texts for match in WORD.finditer(text)]
    here = numbered.ids != BREAK
    assert len(set(numbered.words)) == len(numbered.words)
    assert [numbered.words[number] for number in numbered.ids[here]] == [fold(word) for word in said]
    assert numbered.capital[here].tolist() == [word[0].isupper() for word in said]


def test_texts_are_in_their_order() -> None:
    assert not np.any(np.diff(number_words(["a b", "", "c. d", "東"]).texts) < 0)
