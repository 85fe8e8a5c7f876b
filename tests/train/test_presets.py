from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoConfig,
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

from planish.config import merge_settings
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_tokenizer
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import HEAD, AdapterSettings, adapted_layers
from planish.train.ftpo import train_ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.merge import merge_adapter
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
# What a model of a kind and width is trained by, of all that FTPO can be told.
KNOWN_TO_WORK: dict[tuple[str, int], dict[str, Any]] = {
    ("gemma3_text", 2560): {
        "tether_targets": 0.25,
        "targets_slack": 0.0,
        "rate_factor": 0.67,
        "adapter": {"rank": 256, "last_layers": 10},
    },
    ("gemma3_text", 3840): {
        "tether_each": 0.25,
        "each_slack": 0.5,
        "rate_factor": 0.53,
        "adapter": {"rank": 256, "targets": ("up_proj", "down_proj", "lm_head"), "last_layers": 5},
    },
    ("gemma3_text", 5376): {
        "tether_targets": 0.25,
        "targets_slack": 0.5,
        "rate_factor": 0.53,
        "adapter": {"rank": 128, "targets": ("up_proj", "down_proj", "lm_head"), "last_layers": 5},
    },
    ("mistral", 5120): {
        "tether_each": 0.25,
        "each_slack": 0.5,
        "rate_factor": 0.27,
        "adapter": {"rank": 200, "alpha": 64, "targets": ("up_proj", "down_proj", "lm_head"), "last_layers": 3},
    },
    ("glm4", 6144): {"adapter": {"rank": 128, "targets": ("lm_head",)}},
    ("qwen2", 4096): {"adapter": {"rank": 128}},
    ("qwen3", 4096): {"adapter": {"rank": 128}},
    ("llama", 4096): {"adapter": {"rank": 128}},
}
OWN_VALUES: list[dict[str, Any]] = [
    {"tether": 0.7},
    {"tether_targets": 0.7},
    {"targets_slack": 0.7},
    {"tether_each": 0.7},
    {"each_slack": 0.7},
    {"rate_factor": 0.7},
    {"adapter": {"alpha": 5}},
    {"adapter": {"dropout": 0.5}},
    {"adapter": {"targets": ("q_proj",)}},
    {"adapter": {"last_layers": 2}},
]


def random_model(config: PreTrainedConfig) -> LanguageModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    return LanguageModel(model, tiny_tokenizer(), name=str(config.model_type))


def wide_model(kind: str, width: int) -> LanguageModel:
    """So wide, but empty: weights of that size would fill the memory."""
    config = AutoConfig.for_model(kind, **{**SMALL, "hidden_size": width, "num_hidden_layers": 1})
    with torch.device("meta"):
        return LanguageModel(AutoModelForCausalLM.from_config(config), tiny_tokenizer(), name=kind)


@torch.no_grad()
def logits(model: Any) -> Tensor:
    found: Tensor = model(input_ids=IDS).logits
    return found


def distance(first: Tensor, second: Tensor) -> float:
    """Relative to the largest logit."""
    return float((first - second).abs().max() / second.abs().max())


def some_paths() -> list[TokenPreferences]:
    """Too few for any to be held out."""
    return [
        TokenPreferences(
            generation_id=str(first),
            token_ids=tuple(range(first, first + 12)),
            prompt_length=2,
            points=tuple(
                Point(position=at, rejected=40 + at, chosen=(60 + at, 80 + at), chosen_probs=(), rule="lily")
                for at in (4, 9)
            ),
        )
        for first in (3, 20)
    ]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_model_trained_by_its_preset_says_the_same_merged_on_disk(kind: str, tied: bool, tmp_path: Path) -> None:
    family, config = FAMILIES[kind]
    model = random_model(config(tied))
    written, read = model.model.get_output_embeddings().weight, model.model.get_input_embeddings().weight
    assert (written is read) == tied
    model.save(tmp_path / "base")
    plain = logits(model.model)
    settings, reason = with_preset(FtpoSettings(epochs=1, step_points=1, learning_rate=0.05, warmup=0), model)
    assert reason.startswith(f"preset {family}: ")

    tuned = train_ftpo(model, some_paths(), settings)
    assert tuned.ended == "all epochs done"
    beside = logits(tuned.adapted.model.model)
    assert distance(beside, plain) > 1e-2, "it was not trained"
    assert torch.equal(logits(model.model), plain), "the model itself was changed"

    tuned.adapted.save(tmp_path / "adapter")
    merge_adapter(tmp_path / "base", tmp_path / "adapter", tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", use_safetensors=True).eval()
    # The order of a sum is another: float32 has 7 digits.
    assert distance(logits(merged), beside) < 1e-5
    assert torch.equal(merged.get_input_embeddings().weight, read)

    tuned.adapted.merged().save(tmp_path / "in memory")
    assert distance(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "in memory")), beside) < 1e-5


@pytest.mark.parametrize(("kind", "width"), KNOWN_TO_WORK)
def test_a_model_is_trained_by_what_is_known_to_work_for_its_family(kind: str, width: int) -> None:
    chosen, _ = with_preset(FtpoSettings(), wide_model(kind, width))
    assert chosen == FtpoSettings.from_user(KNOWN_TO_WORK[kind, width])


def test_every_preset_is_known_to_work() -> None:
    found = [preset_for(wide_model(*model))[0] for model in KNOWN_TO_WORK]
    assert all(preset in found for preset in PRESETS)


@pytest.mark.parametrize("own", OWN_VALUES, ids=str)
@pytest.mark.parametrize(("kind", "width"), KNOWN_TO_WORK)
def test_what_a_user_sets_goes_before_the_preset_and_changes_nothing_else(
    kind: str, width: int, own: dict[str, Any]
) -> None:
    chosen, _ = with_preset(FtpoSettings.from_user(own), wide_model(kind, width))
    assert chosen == FtpoSettings.from_user(merge_settings(KNOWN_TO_WORK[kind, width], own))


@pytest.mark.parametrize("width", [16, 64, 640, 5120])
def test_an_adapter_of_a_lower_rank_keeps_the_scale_of_the_preset(width: int) -> None:
    chosen = with_preset(FtpoSettings(), wide_model("mistral", width))[0].adapter
    assert chosen.rank == min(width // 8, 200)
    assert_scale(chosen)


@pytest.mark.parametrize("rank", [4, 100, 200, 1000])
@pytest.mark.parametrize("width", [64, 5120])
def test_an_adapter_of_the_user_s_rank_keeps_the_scale_of_the_preset(rank: int, width: int) -> None:
    chosen = with_preset(FtpoSettings.from_user({"adapter": {"rank": rank}}), wide_model("mistral", width))[0].adapter
    assert chosen.rank == rank
    assert_scale(chosen)


def assert_scale(adapter: AdapterSettings) -> None:
    """That of the preset, as near as a whole alpha comes."""
    assert adapter.alpha is not None
    assert adapter.alpha == pytest.approx(64 / 200 * adapter.rank, abs=0.5)


@pytest.mark.parametrize("own", [{"alpha": 7}, {"alpha": 7, "rank": 4}], ids=str)
def test_an_alpha_that_a_user_sets_is_left_as_it_is(own: dict[str, int]) -> None:
    chosen, _ = with_preset(FtpoSettings.from_user({"adapter": own}), wide_model("mistral", 64))
    assert (chosen.adapter.alpha, chosen.adapter.rank) == (7, own.get("rank", 8))


def test_the_scale_is_never_zero() -> None:
    chosen, _ = with_preset(FtpoSettings.from_user({"adapter": {"rank": 1}}), wide_model("mistral", 64))
    assert chosen.adapter.alpha == 1


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
    preset, reason = preset_for(wide_model("gemma3_text", width))
    assert preset.source == made_for
    assert f"{width} wide" in reason
    assert made_for in reason


def test_other_architectures_have_the_defaults_with_the_reason() -> None:
    config = GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    model = random_model(config)
    preset, reason = preset_for(model)
    assert preset is NO_PRESET
    assert with_preset(FtpoSettings(), model)[0] == FtpoSettings.from_user({"adapter": {"rank": 4}})
    assert reason == "no preset for model type 'gpt2': the defaults"


@pytest.mark.parametrize("kind", ["llama", "mistral"])
def test_a_run_that_goes_on_chooses_the_same_and_says_the_same(kind: str) -> None:
    model = wide_model(kind, 32)
    chosen, reason = with_preset(FtpoSettings(margin=3.0), model)
    assert chosen.margin == 3.0
    assert "rank 4 instead of" in reason
    assert with_preset(FtpoSettings.from_user(chosen.model_dump()), model) == (chosen, reason)


def test_a_rank_that_a_user_sets_is_not_said_to_be_limited(tiny: LanguageModel) -> None:
    own, reason = with_preset(FtpoSettings.from_user({"adapter": {"rank": 7}}), tiny)
    assert own.adapter.rank == 7
    assert "instead" not in reason
