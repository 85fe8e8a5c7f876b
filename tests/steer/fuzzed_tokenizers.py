"""Small random models that read and write by tokenizers of several kinds, trained on a few random words."""

import json
import random
from functools import cache
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from planish.models.language_model import LanguageModel

SPECIALS = ["<unk>", "<s>", "</s>"]
# Special to the tokenizer, but none of those that its wrapper lists by name.
UNLISTED = "<|turn|>"
WORDS = (  # noqa: SIM905 - nobody would read so many quoted words
    "the air was thick with smoke and a little girl named Lily didn't know well-known rose rising runs "
    "привет мир жизнь 你好 世界 语言 🙂 👩\u200d🚀 é naïve Straße İx … — , . ! ? \n \n\n (so) “quote” 3.5"
).split(" ")
KINDS = ("bytes", "straddling", "pieces")
# A model's head is often wider than its tokenizer: ids that stand for nothing.
MORE_LOGITS = 5


def words(draws: random.Random, most: int = 8) -> str:
    """Some words in a row, with white space of several kinds between them."""
    return "".join(draws.choice(WORDS) + draws.choice([" ", " ", " ", "", "  "]) for _ in range(draws.randint(1, most)))


@cache
def fuzzed_model(kind: str, seed: int) -> LanguageModel:
    """A random Llama. Its tokens are merged bytes, such that also straddle words, or pieces with bytes to fall back on.

    There is a special token in the middle of its vocabulary that the wrapper does not list.
    """
    draws = random.Random(seed)
    corpus = [words(draws, most=20) for _ in range(40)]
    raw = _pieces(corpus) if kind == "pieces" else _bytes(corpus, straddling=kind == "straddling")
    raw.add_special_tokens([AddedToken(UNLISTED, special=True)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<unk>"
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer) + MORE_LOGITS,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.4,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=bool(seed % 2),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    return LanguageModel(model, tokenizer, name=f"{kind} {seed}")


def _bytes(corpus: list[str], straddling: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not straddling)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=330, special_tokens=SPECIALS, initial_alphabet=sorted(alphabet))
    )
    return tokenizer


def _pieces(corpus: list[str]) -> Tokenizer:
    """As SentencePiece does it: white space is a letter, the first space is no part of a text."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=150, limit_alphabet=60))
    found: dict[str, Any] = json.loads(trained.to_str())["model"]
    tokens = [*SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256)), *found["vocab"]]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    merges = [(first, second) for first, second in found["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
    return tokenizer
