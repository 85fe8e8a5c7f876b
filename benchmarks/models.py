"""What is decoded in benchmarks: the bundled model, a smaller real one where it is at hand, random larger ones."""

from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from planish.models.language_model import LanguageModel
from planish.models.loading import load_model

torch.set_num_threads(1)

STORIES = Path(__file__).parents[2] / "shared" / "models" / "stories260k"


def models(names: list[str]) -> Iterator[LanguageModel]:
    """Load those of the models that are named."""
    if "bundled" in names:
        yield load_model("bundled")
    if "stories260k" in names and STORIES.is_dir():
        model = load_model(str(STORIES))
        model.name = "stories260k"
        yield model
    if "llama30m" in names:
        yield random_llama("llama30m", hidden_size=512, intermediate_size=1408, num_hidden_layers=8, heads=8)
    if "llama500m" in names:
        sizes = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "heads": 16}
        yield random_llama("llama500m", **sizes, vocabulary=128_256, device="cuda", dtype=torch.bfloat16)
    if "llama1b" in names:
        sizes = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "heads": 32}
        yield random_llama("llama1b", **sizes, device="cuda", dtype=torch.bfloat16)


def random_llama(
    name: str,
    *,
    heads: int,
    vocabulary: int | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    **sizes: int,
) -> LanguageModel:
    """A Llama of random weights with the bundled model's tokenizer, and more logits than that has where told so."""
    tokenizer = load_model("bundled").tokenizer
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary or len(tokenizer),
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
        **sizes,
    )
    return LanguageModel(LlamaForCausalLM(config).to(device, dtype), tokenizer, name)
