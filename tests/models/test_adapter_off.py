import builtins
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from torch import Tensor

from planish.errors import MissingPackageError, ModelError
from planish.models.adapter_off import AdapterOff, load_adapted
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.scoring import hidden_states
from planish.models.tiny import tiny_llama

PATHS = [range(3, 40), range(50, 61)]


def trained(model: LanguageModel, folder: Path, **more: Any) -> None:
    """Writes an adapter that does something, for this model."""
    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    adapter = get_peft_model(model.model, LoraConfig(r=4, target_modules=linear, task_type="CAUSAL_LM", **more))
    draws = torch.Generator().manual_seed(1)
    for name, weight in adapter.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            weight.data += 0.3 * torch.randn(weight.shape, generator=draws)
    adapter.save_pretrained(str(folder))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of a model, and of an adapter for it."""
    folder = tmp_path_factory.mktemp("adapted")
    tiny_llama().save(folder / "model")
    trained(tiny_llama(), folder / "adapter")
    return folder / "model", folder / "adapter"


@pytest.fixture
def adapted(folders: tuple[Path, Path]) -> LanguageModel:
    return load_adapted(str(folders[0]), folders[1])


@torch.no_grad()
def logits(model: LanguageModel) -> Tensor:
    return model.head(hidden_states(model, [list(path) for path in PATHS]))


def close(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, rtol=0, atol=1e-5 * float(second.abs().max()))


def test_off_it_is_the_model_loaded_alone_and_on_the_model_loaded_with_its_adapter(
    adapted: LanguageModel, folders: tuple[Path, Path]
) -> None:
    plain = load_model(str(folders[0]))
    off = AdapterOff(adapted)
    # In turn, as in lock step.
    on_before, without, on_after = logits(adapted), logits(off), logits(adapted)
    assert close(without, logits(plain))
    assert torch.equal(on_before, on_after)
    assert not close(on_before, without)
    # The adapter folded into weights of its own is the other model, loaded apart.
    from peft import PeftModel

    apart = PeftModel.from_pretrained(load_model(str(folders[0])).model, str(folders[1])).merge_and_unload()
    assert close(on_before, logits(LanguageModel(apart, plain.tokenizer, "apart")))


@torch.no_grad()
def test_off_it_is_the_same_where_rows_are_read_one_by_one(adapted: LanguageModel, folders: tuple[Path, Path]) -> None:
    plain, off = load_model(str(folders[0])), AdapterOff(adapted)
    ids = list(PATHS[0])
    assert close(off.hidden_alone(ids)[0], plain.hidden_alone(ids)[0])
    assert not close(adapted.hidden_alone(ids)[0], plain.hidden_alone(ids)[0])
    assert off.alone_because == plain.alone_because


def test_no_weight_is_stored_twice(adapted: LanguageModel) -> None:
    off = AdapterOff(adapted)
    assert off.model is adapted.model
    assert (off.vocabulary, off.width, off.context) == (adapted.vocabulary, adapted.width, adapted.context)
    off.require_same_tokenizer(adapted)


def test_the_two_are_told_apart(adapted: LanguageModel) -> None:
    off = AdapterOff(adapted)
    assert off.model_hash != adapted.model_hash
    assert off.name != adapted.name


@torch.no_grad()
def test_what_goes_wrong_while_it_is_off_switches_it_on_again(adapted: LanguageModel) -> None:
    before = logits(adapted)
    with pytest.raises(RuntimeError):
        AdapterOff(adapted).head(torch.zeros(1, adapted.width + 1))
    assert torch.equal(logits(adapted), before)


def test_an_adapter_in_training_stays_in_training() -> None:
    model = tiny_llama()
    get_peft_model(model.model, LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=["lm_head"]))
    before = {name: weight.requires_grad for name, weight in model.model.named_parameters()}
    assert set(before.values()) == {True, False}
    logits(AdapterOff(model))
    assert {name: weight.requires_grad for name, weight in model.model.named_parameters()} == before


def test_whole_layers_that_an_adapter_brings_are_off_as_well(tmp_path: Path) -> None:
    plain = tiny_llama()
    trained(tiny_llama(), tmp_path, modules_to_save=["embed_tokens"])
    tiny_llama().save(tmp_path / "model")
    model = load_adapted(str(tmp_path / "model"), tmp_path)
    assert any("modules_to_save" in name for name, _ in model.model.named_parameters())
    assert close(logits(AdapterOff(model)), logits(plain))


def test_an_adapter_on_the_head_alone_is_off_as_well() -> None:
    model = tiny_llama()
    adapter = get_peft_model(model.model, LoraConfig(r=4, target_modules=["lm_head"]))
    for name, weight in adapter.named_parameters():
        if "lora_B" in name:
            weight.data += 0.3
    assert close(logits(AdapterOff(model)), logits(tiny_llama()))
    assert not close(logits(model), logits(tiny_llama()))


def test_a_model_without_an_adapter_is_refused(tiny: LanguageModel) -> None:
    with pytest.raises(ModelError, match="tiny"):
        AdapterOff(tiny)


def test_a_folder_without_an_adapter_is_refused(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match="adapter_model"):
        load_adapted("tiny", folders[0])


def test_an_adapter_of_another_model_is_refused_in_one_line(folders: tuple[Path, Path], tmp_path: Path) -> None:
    wide = tiny_llama().model.config
    wide.hidden_size = 64
    LanguageModel(type(tiny_llama().model)(wide), tiny_llama().tokenizer, "wide").save(tmp_path / "wide")
    with pytest.raises(ModelError) as caught:
        load_adapted(str(tmp_path / "wide"), folders[1])
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_prompt_is_no_adapter(tmp_path: Path) -> None:
    prompt = get_peft_model(tiny_llama().model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    prompt.save_pretrained(str(tmp_path))
    with pytest.raises(ModelError, match="prompt"):
        load_adapted("tiny", tmp_path)


def test_without_peft_it_says_what_to_install(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_peft(name: str, *rest: Any) -> Any:
        if name == "peft":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_peft)
    with pytest.raises(MissingPackageError) as caught:
        AdapterOff(tiny)
    assert "planish[train]" in caught.value.hint
