"""Small random models of several shapes, for what must hold whatever the architecture."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    MixtralConfig,
    MptConfig,
    OPTConfig,
    PreTrainedConfig,
    Qwen2Config,
    RwkvConfig,
)

from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_tokenizer

VOCABULARY = 64
WINDOW = 8
# Wide enough that attention to the wrong place moves the logits by far more than any tolerance.
SPREAD = 0.4

COMMON: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "initializer_range": SPREAD,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
# As older configurations call the same things.
OLDER: dict[str, Any] = {"vocab_size": VOCABULARY, "initializer_range": SPREAD, "bos_token_id": 1, "eos_token_id": 2}
MIXED = ["sliding_attention", "full_attention"]
DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}


def windowed_by_column(window: int) -> PreTrainedConfig:
    return GPTNeoConfig(
        **OLDER,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=window,
        max_position_embeddings=256,
    )


DECODED: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**COMMON),
    "mistral": lambda: MistralConfig(**COMMON, sliding_window=WINDOW),
    "gemma3": lambda: Gemma3TextConfig(**COMMON, sliding_window=WINDOW, query_pre_attn_scalar=8, layer_types=MIXED),
    "gemma2": lambda: Gemma2Config(
        **COMMON,
        sliding_window=WINDOW,
        query_pre_attn_scalar=8,
        layer_types=MIXED,
        attn_logit_softcapping=5.0,
        final_logit_softcapping=3.0,
    ),
    "qwen2": lambda: Qwen2Config(**COMMON, use_sliding_window=True, sliding_window=WINDOW, layer_types=MIXED),
}

ALONE: dict[str, Callable[[], PreTrainedConfig]] = {
    "linear attention": lambda: MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4),
    "recurrent state": lambda: RwkvConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32
    ),
    "dynamic angles": lambda: LlamaConfig(**COMMON, rope_parameters=DYNAMIC),
    "dynamic angles in some layers": lambda: Gemma3TextConfig(
        **COMMON,
        sliding_window=WINDOW,
        layer_types=MIXED,
        rope_parameters={"full_attention": DYNAMIC, "sliding_attention": PLAIN_ROPE},
    ),
}

# Attention that is no matter of positions and a mask alone, or a decoder and a head that are put together otherwise.
UNUSUAL: dict[str, Callable[[], PreTrainedConfig]] = {
    "learned positions": lambda: GPT2Config(**OLDER, n_embd=32, n_layer=2, n_head=4, n_positions=256),
    "experts": lambda: MixtralConfig(**COMMON, num_local_experts=4),
    "a window outside the mask": lambda: windowed_by_column(WINDOW),
    "a wide window outside the mask": lambda: windowed_by_column(40),
    "alibi": lambda: BloomConfig(**OLDER, hidden_size=32, n_layer=2, n_head=4),
    "alibi by column": lambda: MptConfig(
        vocab_size=VOCABULARY, d_model=32, n_layers=2, n_heads=4, max_seq_len=256, initializer_range=SPREAD
    ),
    "a decoder in the decoder": lambda: OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=48,
        max_position_embeddings=256,
        word_embed_proj_dim=32,
        init_std=SPREAD,
    ),
}


def random_model(config: PreTrainedConfig, seed: int = 0) -> LanguageModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    return LanguageModel(model, tiny_tokenizer(), name=str(config.model_type))


@torch.no_grad()
def fresh_logits(model: LanguageModel, tokens: Sequence[int]) -> Tensor:
    """What plain transformers says after these tokens: the slow reference, (V,)."""
    logits: Tensor = model.model(torch.tensor([list(tokens)])).logits
    return logits[0, -1].float()
