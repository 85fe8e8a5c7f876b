from hypothesis import given
from hypothesis import strategies as st

from planish.models.language_model import LanguageModel
from planish.models.tiny import SPECIALS, tiny_tokenizer

texts = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: not any(special in text for special in SPECIALS)
)


@given(texts)
def test_any_text_comes_back_from_its_tokens(tiny: LanguageModel, text: str) -> None:
    ids = tiny.tokenizer(text)["input_ids"]
    assert len(ids) == len(text.encode())
    assert tiny.decode(ids) == text


def test_a_tokenizer_is_always_the_same() -> None:
    assert tiny_tokenizer().get_vocab() == tiny_tokenizer().get_vocab()
