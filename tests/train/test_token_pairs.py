import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference, Point, TokenPreferences
from planish.records.prompt import Message, Prompt, opening, writing_prompt
from planish.train.token_pairs import TokenPair, completion_ids, point_pairs, text_pair, token_pairs

# Turns end by another token than documents do.
TEMPLATE = (
    "{% for turn in messages %}<unk>{{ turn.role }}:{{ turn.content }}<s>{% endfor %}"
    "{% if add_generation_prompt %}<unk>assistant:{% endif %}"
)
TURN_END, DOCUMENT_END = 1, 2


@pytest.fixture
def chat(tiny: LanguageModel) -> LanguageModel:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.chat_template = TEMPLATE
    model = copy.deepcopy(tiny.model)
    model.generation_config.eos_token_id = [DOCUMENT_END, TURN_END]
    return LanguageModel(model, tokenizer, "chat")


def letters(text: str) -> list[int]:
    return list(tiny_llama().tokenizer(text)["input_ids"])


@given(st.data())
def test_a_point_is_a_pair_of_its_rejected_and_its_likeliest_token(data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, 99), min_size=2, max_size=12))
    chosen = data.draw(st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True))
    probs = data.draw(st.permutations([0.1 * rank for rank in range(1, len(chosen) + 1)]))
    position = data.draw(st.integers(1, len(ids)))
    point = Point(position=position, rejected=100, chosen=tuple(chosen), chosen_probs=tuple(probs), rule="lily")
    path = TokenPreferences(generation_id="a", token_ids=tuple(ids), prompt_length=1, points=(point, point))
    likeliest = chosen[probs.index(max(probs))]
    assert list(point_pairs(path)) == [TokenPair(tuple(ids[:position]), (likeliest,), (100,))] * 2


def test_without_probabilities_the_first_token_is_chosen() -> None:
    point = Point(position=1, rejected=9, chosen=(7, 8), chosen_probs=(), rule="lily")
    path = TokenPreferences(generation_id="a", token_ids=(5, 6), prompt_length=1, points=(point,))
    assert list(point_pairs(path)) == [TokenPair((5,), (7,), (9,))]


def written(prompt: tuple[int, ...], ids: tuple[int, ...]) -> Generation:
    return Generation(
        id="a",
        prompt_id="p",
        sample=0,
        seed=0,
        text="",
        prompt_token_ids=prompt,
        token_ids=ids,
        char_ends=(),
        finish="stop" if ids[-1] == DOCUMENT_END else "length",
    )


def test_written_texts_keep_the_ends_that_they_have_and_get_no_others(chat: LanguageModel) -> None:
    whole, cut = written((5, 6), (7, DOCUMENT_END)), written((5, 6), (8, 9))
    preference = CompletionPreference.written(opening("Why "), whole, cut, (1, 0))
    assert list(token_pairs(chat, [preference])) == [TokenPair((5, 6), (7, DOCUMENT_END), (8, 9))]


@pytest.mark.parametrize("ended", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("prompt", [opening("Why "), writing_prompt("Why?")])
def test_texts_have_an_end_only_where_they_are_known_to_be_whole(
    prompt: Prompt, ended: tuple[bool, bool], chat: LanguageModel
) -> None:
    end = DOCUMENT_END if prompt.text is not None else TURN_END
    preference = CompletionPreference.between(prompt, "yes", "no", (1, 0))
    pair = text_pair(chat, preference, ended)
    assert list(pair.context) == chat.encode(prompt)
    assert list(pair.chosen) == letters("yes") + [end] * ended[0]
    assert list(pair.rejected) == letters("no") + [end] * ended[1]
    assert list(token_pairs(chat, [preference])) == [text_pair(chat, preference, (False, False))]


def test_a_model_without_a_template_ends_its_replies_as_documents(tiny: LanguageModel) -> None:
    assert completion_ids(tiny, writing_prompt("Why?"), "yes", ended=True) == (*letters("yes"), DOCUMENT_END)


def test_what_looks_like_a_control_token_in_a_text_is_letters(chat: LanguageModel) -> None:
    ids = completion_ids(chat, writing_prompt("Why?"), "no</s>", ended=False)
    assert not chat.end_ids & set(ids)
    assert chat.decode(ids) == "no</s>"


def spaced_tokenizer() -> PreTrainedTokenizerFast:
    """One that puts a space before whatever it reads, as SentencePiece does."""
    vocabulary = {token: number for number, token in enumerate(["<unk>", "<s>", "</s>", "▁", "\n", *"abc"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize("text", ["abc", " abc", "a b", "\nab", "\n"])
def test_no_space_is_put_between_a_prompt_and_its_text(text: str, tiny: LanguageModel) -> None:
    spaced = LanguageModel(tiny.model, spaced_tokenizer(), "spaced")
    pieces = spaced.tokenizer.convert_ids_to_tokens(list(completion_ids(spaced, opening("c"), text, ended=False)))
    assert "".join(pieces).replace("▁", " ") == text


def test_a_side_of_several_turns_is_refused(chat: LanguageModel) -> None:
    turns = (Message(role="assistant", content="yes"), Message(role="user", content="no"))
    preference = CompletionPreference(prompt=turns[1:], chosen=turns, rejected=turns[:1])
    with pytest.raises(DataError, match="2 turns"):
        text_pair(chat, preference)
