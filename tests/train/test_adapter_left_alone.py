"""What merging and saving an adapter leave as it was."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.train.adapter import Adapted, AdapterSettings, load_adapter, with_adapter

IDS = torch.arange(3, 40)[None]
SETTINGS = AdapterSettings(rank=4, targets=("up_proj", "lm_head"), last_layers=1)
FOLDED = {"model.layers.1.mlp.up_proj.weight", "lm_head.weight"}


def moved(model: LanguageModel, seed: int = 1) -> Adapted:
    """The model with an adapter that does something."""
    adapted = with_adapter(model, SETTINGS)
    draws = torch.Generator().manual_seed(seed)
    for name, weight in adapted.adapter.named_parameters():
        if "lora_B" in name:
            weight.data = 0.3 * torch.randn(weight.shape, generator=draws)
    return adapted


def weights_of(model: LanguageModel) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in model.model.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("own_head", [True, False])
def test_a_merged_model_has_of_its_own_only_what_was_folded_in(tiny: LanguageModel, own_head: bool) -> None:
    adapted = with_adapter(tiny, SETTINGS, head=own_head)
    plain = dict(tiny.model.named_parameters())
    merged = dict(adapted.merged().model.named_parameters())
    own = {name for name, weight in merged.items() if weight is not plain.get(name)}
    assert own == (FOLDED if own_head else FOLDED - {"lm_head.weight"})


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_merging_changes_neither_the_model_nor_the_adapted_model_nor_another_merged_one(
    tiny: LanguageModel, strength: float
) -> None:
    adapted = moved(tiny)
    first = adapted.merged()
    before = [weights_of(model) for model in (tiny, adapted.model, first)]
    second = adapted.merged(strength)
    for model, weights in zip((tiny, adapted.model, first), before, strict=True):
        assert_same(weights_of(model), weights)
    assert not {id(weight) for name, weight in second.model.named_parameters() if name in FOLDED} & {
        id(weight) for model in (tiny, adapted.model, first) for weight in model.model.parameters()
    }


def test_a_merged_model_can_be_adapted_and_merged_again(tiny: LanguageModel) -> None:
    merged = moved(tiny).merged()
    before = [weights_of(model) for model in (tiny, merged)]
    again = moved(merged, seed=2)
    with torch.no_grad():
        beside, twice = (model.model(input_ids=IDS).logits for model in (again.model, again.merged()))
    torch.testing.assert_close(twice, beside, rtol=0, atol=1e-4 * float(beside.abs().max()))
    for model, weights in zip((tiny, merged), before, strict=True):
        assert_same(weights_of(model), weights)


def settings_of(adapted: Adapted) -> Any:
    return copy.deepcopy({name: vars(config) for name, config in adapted.adapter.peft_config.items()})


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_saving_leaves_the_adapter_in_memory_as_it_was(tiny: LanguageModel, strength: float, tmp_path: Path) -> None:
    adapted = moved(tiny)
    settings, weights = settings_of(adapted), weights_of(adapted.model)
    adapted.save(tmp_path, strength)
    assert settings_of(adapted) == settings
    assert_same(weights_of(adapted.model), weights)


def test_an_adapter_that_could_not_be_written_is_as_it_was(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    adapted = moved(tiny)
    settings = settings_of(adapted)
    monkeypatch.setattr("peft.config.PeftConfigMixin.save_pretrained", fail)
    with pytest.raises(OSError, match="No space left"):
        adapted.save(tmp_path)
    assert settings_of(adapted) == settings


def test_an_adapter_is_saved_with_its_layers_in_order_and_again_after_loading(
    tiny: LanguageModel, tmp_path: Path
) -> None:
    moved(tiny).save(tmp_path / "first")
    load_adapter(tiny, tmp_path / "first").save(tmp_path / "second")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
