"""A real llama.cpp server on loopback, with any Llama of ours in it: for tests and benchmarks.

`python tests/llama_server.py MODEL PORT` serves until it is ended.
"""

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.models.loading import load_model

# How each of a layer's tensors is called in the one format and in the other.
LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf(model: LanguageModel, path: Path) -> None:
    """Write a Llama with a byte-level tokenizer as GGUF, in float32."""
    from gguf import GGUFWriter

    config: Any = model.model.config
    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, model)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for name, tensor in model.model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        renamed = _renamed(name)
        kind = renamed.split(".")[-2]
        writer.add_tensor(renamed, _for_rotation(tensor, heads[kind]) if kind in heads else _plain(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: Any, model: LanguageModel) -> None:
    import json

    from gguf import TokenType

    tokenizer = model.tokenizer
    ids = {number: token for token, number in tokenizer.get_vocab().items()}
    special = set(tokenizer.all_special_ids)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([ids[number] for number in range(len(ids))])
    writer.add_token_types([TokenType.CONTROL if number in special else TokenType.NORMAL for number in range(len(ids))])
    writer.add_token_merges([" ".join(merge) for merge in merges] or ["a b"])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(min(model.end_ids))
    writer.add_add_bos_token(False)


def _renamed(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem in TOP:
        return f"{TOP[stem]}.weight"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{LAYER[part]}.weight"


def _plain(tensor: Tensor) -> Any:
    return np.ascontiguousarray(tensor.detach().to(torch.float32).numpy())


def _for_rotation(tensor: Tensor, heads: int) -> Any:
    """The one format rotates the halves of a head against each other, the other its neighbours."""
    rows, width = tensor.shape
    return _plain(tensor.reshape(heads, 2, rows // heads // 2, width).transpose(1, 2).reshape(rows, width))


@contextmanager
def llama_server(model: LanguageModel, port: int = 0, slots: int = 8) -> Iterator[str]:
    """Serve a model, and yield the address."""
    xllamacpp: Any = import_module("xllamacpp")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_gguf(model, path)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.hostnames = ["127.0.0.1"]
        params.port = port
        params.n_parallel = slots
        params.n_ctx = slots * model.context
        params.n_gpu_layers = 0
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        # Exact, and with exact keys and values the only quick way.
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.warmup = False
        params.verbosity = -1
        server = xllamacpp.Server(params)
        yield server.listening_address
        del server


if __name__ == "__main__":
    with llama_server(load_model(sys.argv[1]), int(sys.argv[2])):
        threading.Event().wait()
