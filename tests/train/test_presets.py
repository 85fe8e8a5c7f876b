from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    Gemma3Config,
    Gemma3TextConfig,
    Glm4Config,
    GlmConfig,
    GPT2Config,
    LlamaConfig,
    Ministral3Config,
    MinistralConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_tokenizer
from planish.train.adapter import HEAD, Adapted, adapted_layers, with_adapter
from planish.train.ftpo_settings import FtpoSettings
from planish.train.presets import NO_PRESET, PRESETS, preset_for, with_preset

VOCABULARY = len(tiny_tokenizer())
LAYERS = 4
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}

Tied = Callable[[bool], PreTrainedConfig]
FAMILIES: dict[str, tuple[str, Tied]] = {
    "gemma3_text": ("gemma3", lambda tied: Gemma3TextConfig(**SMALL, tie_word_embeddings=tied, sliding_window=16)),
    "gemma3": (
        "gemma3",
        lambda tied: Gemma3Config(
            text_config={**SMALL, "tie_word_embeddings": tied, "sliding_window": 16},
            vision_config=VISION,
            mm_tokens_per_image=4,
            tie_word_embeddings=tied,
        ),
    ),
    "mistral": ("mistral", lambda tied: MistralConfig(**SMALL, tie_word_embeddings=tied)),
    "ministral": ("mistral", lambda tied: MinistralConfig(**SMALL, tie_word_embeddings=tied)),
    "ministral3": ("mistral", lambda tied: Ministral3Config(**SMALL, tie_word_embeddings=tied)),
    "glm": ("glm", lambda tied: GlmConfig(**SMALL, tie_word_embeddings=tied)),
    "glm4": ("glm", lambda tied: Glm4Config(**SMALL, tie_word_embeddings=tied)),
    "qwen2": ("qwen", lambda tied: Qwen2Config(**SMALL, tie_word_embeddings=tied)),
    "qwen3": ("qwen", lambda tied: Qwen3Config(**SMALL, tie_word_embeddings=tied)),
    "llama": ("llama", lambda tied: LlamaConfig(**SMALL, tie_word_embeddings=tied)),
}
IDS = torch.arange(3, 40)[None]


def random_model(config: PreTrainedConfig) -> LanguageModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    return LanguageModel(model, tiny_tokenizer(), name=str(config.model_type))


@torch.no_grad()
def logits(model: Any) -> Tensor:
    found: Tensor = model(input_ids=IDS).logits
    return found


def move(adapted: Adapted) -> None:
    draws = torch.Generator().manual_seed(1)
    for name, weight in adapted.adapter.named_parameters():
        if "lora_B" in name:
            weight.data = 0.05 * torch.randn(weight.shape, generator=draws)


def distance(first: Tensor, second: Tensor) -> float:
    """Relative to the largest logit."""
    return float((first - second).abs().max() / second.abs().max())


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_preset_is_put_on_trained_merged_and_loaded_by_plain_transformers(
    kind: str, tied: bool, tmp_path: Path
) -> None:
    family, config = FAMILIES[kind]
    model = random_model(config(tied))
    weights = model.model.get_output_embeddings().weight, model.model.get_input_embeddings().weight
    assert (weights[0] is weights[1]) == tied
    preset, reason = preset_for(model)
    assert preset.family == family
    assert reason.startswith(f"preset {family}: ")
    plain = logits(model.model)

    adapted = with_adapter(model, preset.adapter)
    assert torch.equal(logits(adapted.model.model), plain)
    move(adapted)
    beside = logits(adapted.model.model)
    assert distance(beside, plain) > 1e-2
    merged = adapted.merged()
    assert distance(logits(merged.model), beside) < 1e-4

    merged.save(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, use_safetensors=True).eval()
    assert torch.equal(logits(loaded), logits(merged.model))
    assert torch.equal(loaded.get_input_embeddings().weight, weights[1])
    assert torch.equal(logits(model.model), plain), "the model itself was changed"


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("width", [32, 3840, 5376])
def test_a_preset_names_layers_that_its_family_has(kind: str, width: int) -> None:
    model = random_model(FAMILIES[kind][1](True))
    for preset in PRESETS:
        if preset.family == FAMILIES[kind][0] and width <= (preset.widest or width):
            names = adapted_layers(model, preset.adapter)
            last = {name.rpartition(".")[2] for name in names}
            assert last >= set(preset.adapter.targets) | {HEAD}
            numbers = {int(part) for name in names for part in name.split(".") if part.isdecimal()}
            inner = preset.adapter.targets != (HEAD,)
            # A model with fewer layers than are asked for is trained in all of them.
            wanted = min(preset.adapter.last_layers or LAYERS, LAYERS) if inner else 0
            assert numbers == set(range(LAYERS - wanted, LAYERS))
            return
    raise AssertionError("no preset for this width")


@pytest.mark.parametrize(("width", "made_for"), [(640, "4B"), (2560, "4B"), (3840, "12B"), (5376, "27B")])
def test_gemma_has_a_preset_a_size(width: int, made_for: str) -> None:
    # As wide, but empty: weights of that size would fill the memory.
    config = Gemma3TextConfig(**{**SMALL, "hidden_size": width, "num_hidden_layers": 1})
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    preset, reason = preset_for(LanguageModel(model, tiny_tokenizer(), name="wide"))
    assert preset.source == made_for
    assert f"{width} wide" in reason
    assert made_for in reason


@pytest.mark.parametrize("preset", [*PRESETS, NO_PRESET], ids=lambda preset: f"{preset.family} {preset.source}")
def test_what_a_preset_sets_are_settings(preset: Any) -> None:
    settings = FtpoSettings.from_user(preset.settings)
    assert settings.adapter == preset.adapter
    defaults = FtpoSettings()
    for name, value in preset.tethers.items():
        assert getattr(settings, name) == value != getattr(defaults, name)
    assert 0 < preset.rate_factor <= 1


def test_other_architectures_have_the_defaults_with_the_reason() -> None:
    config = GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    preset, reason = preset_for(random_model(config))
    assert preset is NO_PRESET
    assert FtpoSettings.from_user(preset.settings) == FtpoSettings()
    assert reason == "no preset for model type 'gpt2': the defaults"


def test_what_a_user_sets_goes_before_the_preset_and_a_run_that_goes_on_chooses_the_same(tiny: LanguageModel) -> None:
    chosen, reason = with_preset(FtpoSettings.from_user({"margin": 3.0, "adapter": {"dropout": 0.1}}), tiny)
    assert (chosen.margin, chosen.adapter.dropout) == (3.0, 0.1)
    assert chosen.adapter.rank == tiny.width // 8
    assert f"rank {tiny.width // 8} instead of 128" in reason
    assert with_preset(FtpoSettings.from_user(chosen.model_dump()), tiny) == (chosen, reason)
    own, reason = with_preset(FtpoSettings.from_user({"adapter": {"rank": 7}}), tiny)
    assert own.adapter.rank == 7
    assert "instead" not in reason
