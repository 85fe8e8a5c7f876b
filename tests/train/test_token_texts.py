import pytest

from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tokens import Tokens
from planish.train.token_texts import TokenTexts


@pytest.fixture(params=["tiny", "bundled", "stories"])
def tokens(request: pytest.FixtureRequest, tiny: LanguageModel) -> Tokens:
    if request.param == "tiny":
        return tiny
    model: LanguageModel = request.getfixturevalue("stories") if request.param == "stories" else load_model("bundled")
    return model


def test_every_text_means_a_token_that_adds_it_and_no_other_text_means_one(tokens: Tokens) -> None:
    texts = TokenTexts(tokens)
    before = tokens.tokenizer("a", add_special_tokens=False)["input_ids"]
    ids = range(len(tokens.tokenizer))
    said = {token: text for token in ids if (text := texts.text(token)) is not None}
    assert len(said) > 0.4 * len(ids)
    for token, text in said.items():
        # Beside a byte there can be a character.
        other = texts.token(text)
        assert other is not None
        assert (said[other], other == token or token in tokens.byte_ids) == (text, True)
        assert tokens.decode([*before, token]) == tokens.decode(before) + text
    for token in set(ids) - said.keys():
        added = tokens.decode([*before, token])[len(tokens.decode(before)) :]
        assert added in ("", "\ufffd") or "\ufffd" in added
    assert texts.token("no such token") is None
    assert texts.token("") is None


def test_a_control_token_has_no_text(tokens: Tokens) -> None:
    for name in tokens.tokenizer.all_special_tokens:
        assert TokenTexts(tokens).token(name) is None


def test_a_space_that_the_tokenizer_puts_in_front_is_no_part_of_the_text(stories: LanguageModel) -> None:
    texts = TokenTexts(stories)
    names = stories.tokenizer.convert_ids_to_tokens
    assert [names(texts.token(text) or 0) for text in (" Once", " the", "ld", ".")] == ["▁Once", "▁the", "ld", "."]
    assert texts.token("Once") is None  # the tokenizer reads it as the token with a space
