from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    GraniteConfig,
    LlamaConfig,
    MixtralConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

from planish.errors import ModelError
from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama, tiny_tokenizer
from planish.records.prompt import Message, Prompt, opening, writing_prompt

COMMON: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.4,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
HEADS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**COMMON, tie_word_embeddings=True),
    "llama with a head of its own": lambda: LlamaConfig(**COMMON, tie_word_embeddings=False),
    "softcap": lambda: Gemma2Config(**COMMON, head_dim=8, query_pre_attn_scalar=8, final_logit_softcapping=0.5),
    "scaled up": lambda: CohereConfig(**COMMON, logit_scale=0.3),
    "scaled down": lambda: GraniteConfig(**COMMON, logits_scaling=3.0),
    "more outputs": lambda: GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64),
    "experts": lambda: MixtralConfig(**COMMON, num_local_experts=4),
}

# U+FFFD stands for bytes that are no character, "<" begins a special token.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd<"), max_size=30)


def byte_fallback_tokenizer() -> PreTrainedTokenizerFast:
    """As Llama 2, Mistral and Gemma have: what is not in the vocabulary is spelt in bytes."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *"abcdefgh"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="module")
def fallback() -> LanguageModel:
    return LanguageModel(tiny_llama().model, byte_fallback_tokenizer(), name="byte fallback")


def with_bos_added_by_the_tokenizer(model: LanguageModel) -> LanguageModel:
    model.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return model


@pytest.fixture
def documents() -> LanguageModel:
    """A model that has only ever seen documents, each with its beginning marked."""
    return with_bos_added_by_the_tokenizer(tiny_llama())


@pytest.fixture
def chat(documents: LanguageModel) -> LanguageModel:
    documents.tokenizer.chat_template = (
        "{{ bos_token }}{% for turn in messages %}[{{ turn.role }}]{{ turn.content }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    return documents


def spelt(model: LanguageModel, text: str) -> list[int]:
    return list(model.tokenizer(text, add_special_tokens=False)["input_ids"])


# --- the head


@pytest.mark.parametrize("kind", list(HEADS))
@torch.no_grad()
def test_the_head_gives_the_models_own_logits(kind: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LanguageModel(AutoModelForCausalLM.from_config(HEADS[kind]()), tiny_tokenizer(), name=kind)
    ids = torch.arange(3, 33).reshape(2, 15)
    hidden = model.decoder(input_ids=ids).last_hidden_state
    wanted = model.model(ids).logits.float()
    torch.testing.assert_close(model.head(hidden), wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.head(hidden[0, 3]), wanted[0, 3], atol=1e-5, rtol=0)
    # And the model is whole again.
    torch.testing.assert_close(model.model(ids).logits.float(), wanted, atol=0, rtol=0)


def test_the_model_is_whole_again_after_the_head_has_failed(tiny: LanguageModel) -> None:
    decoder = tiny.decoder
    with pytest.raises(RuntimeError):
        tiny.head(torch.zeros(1, tiny.width + 1))
    assert tiny.decoder is decoder


def test_gradients_flow_through_the_head(tiny: LanguageModel) -> None:
    hidden = torch.zeros(3, tiny.width, requires_grad=True)
    (gradient,) = torch.autograd.grad(tiny.head(hidden)[:, 7].sum(), hidden)
    torch.testing.assert_close(gradient, tiny.model.get_output_embeddings().weight[7].detach().expand(3, -1))


@torch.no_grad()
def test_the_head_keeps_the_shape_and_answers_in_full_precision(tiny: LanguageModel) -> None:
    assert tiny.head(torch.zeros(2, 5, tiny.width)).shape == (2, 5, tiny.vocabulary)
    assert tiny.head(torch.zeros(tiny.width).to(torch.bfloat16)).dtype == torch.float32


# --- what a prompt begins with


def test_a_chat_template_is_used_once_and_the_beginning_is_marked_once(chat: LanguageModel) -> None:
    prompt = Prompt(messages=(Message(role="system", content="Be brief."), Message(role="user", content="Hi")))
    assert chat.is_chat
    assert chat.encode(prompt) == [1, *spelt(chat, "[system]Be brief.[user]Hi[assistant]")]


def test_a_text_to_be_continued_sees_no_template(chat: LanguageModel) -> None:
    assert chat.encode(opening("Once")) == [1, *spelt(chat, "Once")]


def test_without_a_template_each_message_is_a_document_and_the_reply_opens_the_next(documents: LanguageModel) -> None:
    prompt = Prompt(messages=(Message(role="user", content="One"), Message(role="assistant", content="Two")))
    assert not documents.is_chat
    assert documents.encode(prompt) == [1, *spelt(documents, "One"), 1, *spelt(documents, "Two"), 1]


def test_an_empty_text_begins_with_the_start_of_a_document(tiny: LanguageModel) -> None:
    assert tiny.encode(opening("")) == [1]


def test_where_nothing_marks_a_beginning_the_end_does() -> None:
    model = tiny_llama()
    model.tokenizer.bos_token = None
    assert model.encode(writing_prompt("One")) == [2, *spelt(model, "One"), 2]
    model.tokenizer.eos_token = None
    with pytest.raises(ModelError) as caught:
        model.encode(writing_prompt("One"))
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["chat", "documents", "tiny"])
def test_a_tag_stands_directly_before_the_text(kind: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = tiny_llama() if kind == "tiny" else request.getfixturevalue(kind)
    add_tags(model, ["<|good|>"])
    tag = model.tags["<|good|>"]
    reply = writing_prompt("Go on.")
    assert model.encode(reply.model_copy(update={"tag": "<|good|>"})) == [*model.encode(reply), tag]
    start = [] if kind == "tiny" else [1]
    assert model.encode(Prompt(text="Once", tag="<|good|>")) == [*start, tag, *spelt(model, "Once")]


@pytest.mark.parametrize("kind", ["chat", "documents", "tiny"])
def test_a_tag_in_the_users_own_words_is_no_tag(kind: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = tiny_llama() if kind == "tiny" else request.getfixturevalue(kind)
    add_tags(model, ["<|good|>"])
    for prompt in (opening("Say <|good|> now"), writing_prompt("Say <|good|> now")):
        assert model.tags["<|good|>"] not in model.encode(prompt)


def test_a_text_cannot_end_a_document(documents: LanguageModel) -> None:
    assert 2 not in documents.encode(opening("One</s>Two"))
    assert 2 not in documents.encode(writing_prompt("One</s>Two"))


def test_an_unknown_tag_is_refused_with_the_known_ones(tiny: LanguageModel) -> None:
    model = tiny_llama()
    add_tags(model, ["<|good|>"])
    with pytest.raises(ModelError, match="ugly") as caught:
        model.encode(Prompt(text="Once", tag="<|ugly|>"))
    assert "<|good|>" in caught.value.hint
    with pytest.raises(ModelError):
        tiny.encode(Prompt(text="Once", tag="<|good|>"))


# --- from tokens to characters


def newest_texts(model: LanguageModel, ids: list[int], front: list[int]) -> list[str]:
    pieces: list[str] = []
    settled = len(front)
    for number in range(1, len(ids) + 1):
        pieces.append(model.newest_text([*front, *ids[:number]], settled))
        settled = len(front) + number if pieces[-1] else settled
    return pieces


def assert_reassembled(model: LanguageModel, text: str, front: str = "") -> None:
    before, ids = spelt(model, front), spelt(model, text)
    pieces = newest_texts(model, ids, before)
    assert "".join(pieces) == model.decode([*before, *ids])[len(model.decode(before)) :]
    # Some tokenizers put a space before a text.
    assert "".join(pieces).removeprefix(" ") == text.removeprefix(" ")
    assert not any("\ufffd" in piece for piece in pieces)


@given(texts)
@example("\U0001f600\U0001f600 na\u00efve \u65e5\u672c\u8a9e")
def test_the_newest_texts_make_up_any_text(tiny: LanguageModel, text: str) -> None:
    assert_reassembled(tiny, text)


@given(texts)
@example("\U0001f600\U0001f600")
@example("\u65e5\u672c\u8a9e" * 4)
def test_the_newest_texts_make_up_any_text_that_is_spelt_in_bytes(fallback: LanguageModel, text: str) -> None:
    assert_reassembled(fallback, text, front="a")


@pytest.mark.parametrize(
    "text",
    ["She said: \u201cno\u201d.", "caf\u00e9 \u2014 na\u00efve", "\U0001f600\U0001f600", "\u65e5\u672c\u8a9e" * 4],
)
def test_the_newest_texts_make_up_a_text_of_a_real_tokenizer(stories: LanguageModel, text: str) -> None:
    assert_reassembled(stories, text, front="Once")


@given(st.lists(st.integers(3, 258), max_size=40))
def test_the_newest_texts_of_any_bytes_are_the_beginning_of_what_they_decode_to(
    tiny: LanguageModel, ids: list[int]
) -> None:
    assert tiny.decode(ids).startswith("".join(newest_texts(tiny, ids, [])))


@pytest.mark.parametrize("strays", [1, 2, 3, 25])
@pytest.mark.parametrize("character", ["a", "\u00e9", "\u65e5", "\U0001f600"])
def test_a_character_after_bytes_that_are_none_is_not_lost(tiny: LanguageModel, strays: int, character: str) -> None:
    second_half = spelt(tiny, "\u00e9")[1]
    ids = [second_half] * strays + spelt(tiny, character)
    assert "".join(newest_texts(tiny, ids, [])) == tiny.decode(ids) == "\ufffd" * strays + character


def test_special_tokens_add_no_text(tiny: LanguageModel) -> None:
    a, b = spelt(tiny, "ab")
    assert newest_texts(tiny, [1, a, 2, b], []) == ["", "a", "", "b"]


# --- what a model is


def test_hashes_tell_weights_and_templates_apart(tiny: LanguageModel, chat: LanguageModel) -> None:
    assert tiny.model_hash == tiny_llama().model_hash != tiny_llama(seed=1).model_hash
    assert tiny.template_hash == tiny_llama().template_hash != chat.template_hash


def test_a_model_knows_its_sizes_and_its_end(tiny: LanguageModel) -> None:
    assert (tiny.vocabulary, tiny.width, tiny.context) == (len(tiny.tokenizer), 32, 512)
    assert tiny.end_ids == {2}
    several = tiny_llama()
    assert several.model.generation_config is not None
    several.model.generation_config.eos_token_id = [2, 5]
    assert several.end_ids == {2, 5}
