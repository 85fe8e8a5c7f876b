from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM

from planish.errors import UsageError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.train.adapter import Adapted, AdapterSettings, adapted_layers, copy_of, load_adapter, untied, with_adapter

IDS = torch.arange(3, 60)[None]


def moved(model: LanguageModel) -> Adapted:
    """The model with an adapter that does something."""
    adapted = with_adapter(model, AdapterSettings(rank=4))
    draws = torch.Generator().manual_seed(1)
    for name, weight in adapted.adapter.named_parameters():
        if "lora_B" in name:
            weight.data = 0.3 * torch.randn(weight.shape, generator=draws)
    return adapted


@torch.no_grad()
def logits(model: object) -> Tensor:
    assert callable(model)
    found: Tensor = model(input_ids=IDS).logits
    return found


def close(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, rtol=0, atol=1e-4 * float(second.abs().max()))


def test_a_fresh_adapter_changes_nothing(tiny: LanguageModel) -> None:
    adapted = with_adapter(tiny, AdapterSettings(rank=4))
    assert torch.equal(logits(adapted.model.model), logits(tiny.model))
    assert any("lm_head" in name for name, _ in adapted.adapter.named_parameters() if "lora" in name)


def test_weights_are_shared_with_the_model_and_only_an_untied_head_is_another(tiny: LanguageModel) -> None:
    plain = dict(tiny.model.named_parameters())
    adapted = with_adapter(tiny, AdapterSettings(rank=4)).model.model
    own = {name.replace(".base_layer", ""): weight for name, weight in adapted.named_parameters() if "lora" not in name}
    assert {name for name, weight in own.items() if weight is not plain.get(name)} == {"lm_head.weight"}
    assert all(weight.requires_grad for weight in copy_of(tiny).model.parameters())


def test_folded_in_it_says_what_it_said_beside_the_weights(tiny: LanguageModel) -> None:
    adapted = moved(tiny)
    beside = logits(adapted.model.model)
    assert not close(beside, logits(tiny.model))
    assert close(logits(adapted.merged().model), beside)
    assert torch.equal(logits(adapted.model.model), beside), "merging changed the adapted model"


def test_strength_goes_from_the_plain_model_to_the_whole_adapter(tiny: LanguageModel) -> None:
    adapted = moved(tiny)
    plain, whole = logits(tiny.model), logits(adapted.merged().model)
    assert torch.equal(logits(adapted.merged(0).model), plain)
    distances = [float((logits(adapted.merged(strength).model) - plain).norm()) for strength in (1e-4, 0.25, 0.5, 1)]
    assert distances == sorted(distances)
    assert distances[0] < 1e-2 * distances[-1]
    assert distances[-1] == pytest.approx(float((whole - plain).norm()))


def test_a_saved_adapter_loads_in_plain_transformers_and_peft(tiny: LanguageModel, tmp_path: Path) -> None:
    tiny.save(tmp_path / "model")
    adapted = moved(load_model(str(tmp_path / "model")))
    adapted.save(tmp_path / "adapter")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tuned = PeftModel.from_pretrained(model, str(tmp_path / "adapter"))
    assert torch.equal(logits(tuned), logits(adapted.model.model))
    assert torch.equal(logits(load_adapter(tiny, tmp_path / "adapter").model.model), logits(adapted.model.model))


def test_less_of_an_adapter_is_saved_as_less(tiny: LanguageModel, tmp_path: Path) -> None:
    adapted = moved(tiny)
    adapted.save(tmp_path, strength=0.5)
    assert close(logits(load_adapter(tiny, tmp_path).model.model), logits(adapted.merged(0.5).model))


def test_a_merged_model_loads_in_plain_transformers(tiny: LanguageModel, tmp_path: Path) -> None:
    merged = moved(tiny).merged()
    merged.save(tmp_path / "merged")
    assert torch.equal(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "merged")), logits(merged.model))


def test_a_head_that_shares_the_embedding_gets_a_tensor_of_its_own(tiny: LanguageModel) -> None:
    adapted = moved(tiny)
    assert tiny.model.get_input_embeddings().weight is tiny.model.get_output_embeddings().weight
    assert torch.equal(adapted.merged().model.get_input_embeddings().weight, tiny.model.get_input_embeddings().weight)
    assert torch.equal(logits(untied(with_adapter(tiny, AdapterSettings(rank=4)).model).model), logits(tiny.model))


def test_only_the_last_layers_and_the_named_ones_get_an_adapter(tiny: LanguageModel) -> None:
    settings = AdapterSettings(rank=4, targets=("up_proj", "lm_head"), last_layers=1)
    assert adapted_layers(tiny, settings) == ["model.layers.1.mlp.up_proj", "lm_head"]
    names = {name for name, _ in with_adapter(tiny, settings).adapter.named_parameters() if "lora_A" in name}
    assert {name.split("base_model.model.")[1].split(".lora_A")[0] for name in names} == set(
        adapted_layers(tiny, settings)
    )
    assert adapted_layers(tiny, settings, head=False) == ["model.layers.1.mlp.up_proj"]


def test_alpha_and_dropout_are_those_of_the_settings(tiny: LanguageModel) -> None:
    adapter = with_adapter(tiny, AdapterSettings(rank=4, alpha=2, dropout=0.25)).adapter
    config: Any = adapter.peft_config["default"]
    assert (config.r, config.lora_alpha, config.lora_dropout) == (4, 2, 0.25)


def test_a_layer_that_the_model_does_not_have_is_refused_with_those_it_has(tiny: LanguageModel) -> None:
    with pytest.raises(UsageError, match="qkv_proj") as caught:
        with_adapter(tiny, AdapterSettings(targets=("qkv_proj",)))
    assert "down_proj" in caught.value.hint
    with pytest.raises(UsageError, match="nothing would be trained"):
        with_adapter(tiny, AdapterSettings(targets=("lm_head",)), head=False)
