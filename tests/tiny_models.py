"""Random tiny models of several architectures, all with the tokenizer of the tiny Llama."""

import copy
from typing import Any

import torch
from transformers import AutoModelForCausalLM, Gemma2Config, GPT2Config, PreTrainedConfig

from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_tokenizer

VOCABULARY = len(tiny_tokenizer())
# Wide enough that they have habits.
SPREAD = 0.4
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": SPREAD,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
SOFTCAP = 3.0


def gemma2() -> Gemma2Config:
    """Softcaps on attention and on logits, and a window of 6."""
    return Gemma2Config(**SIZES, head_dim=8, sliding_window=6, final_logit_softcapping=SOFTCAP)


def gpt2(**options: Any) -> GPT2Config:
    """Learned positions, and the dropout that it has by default."""
    return GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=64,
        initializer_range=SPREAD,
        bos_token_id=1,
        eos_token_id=2,
        **options,
    )


def random_model(config: PreTrainedConfig, name: str) -> LanguageModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LanguageModel(AutoModelForCausalLM.from_config(config), tiny_tokenizer(), name)


def in_bfloat16(model: LanguageModel) -> LanguageModel:
    return LanguageModel(copy.deepcopy(model.model).to(torch.bfloat16), model.tokenizer, model.name)
