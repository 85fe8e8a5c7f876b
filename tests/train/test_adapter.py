from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

from planish.errors import ModelError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.train.adapter import Adapted, load_adapter, train_quietly, untied, with_adapter

IDS = torch.arange(3, 60)[None]


def moved(model: LanguageModel) -> Adapted:
    """The model with an adapter that does something."""
    adapted = with_adapter(model, rank=4)
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
    adapted = with_adapter(tiny, rank=4)
    assert torch.equal(logits(adapted.model.model), logits(tiny.model))
    assert any("lm_head" in name for name, _ in adapted.adapter.named_parameters() if "lora" in name)


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
    assert torch.equal(logits(untied(with_adapter(tiny, 4).model).model), logits(tiny.model))


def test_memory_that_runs_out_while_training_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Trainer) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "train", fail)
    trainer = Trainer.__new__(Trainer)
    monkeypatch.setattr(Trainer, "remove_callback", lambda *_: None)
    trainer.args = TrainingArguments(use_cpu=True)
    with pytest.raises(ModelError, match="memory") as caught:
        train_quietly(trainer)
    assert "ftpo.batch_size" in caught.value.hint
