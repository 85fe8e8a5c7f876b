import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertForMaskedLM, LlamaConfig

from planish.errors import MissingPackageError, ModelError
from planish.models.bundled import bundled_model
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model, load_skeleton, model_folder
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama, tiny_tokenizer
from planish.records.prompt import Prompt
from planish.train.adapter import AdapterSettings, load_adapter, with_adapter
from planish.train.merge import merge_adapter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_llama(seed=3).save(tmp_path)
    return tmp_path


def assert_refused(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(name)
    assert name in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_what_is_saved_is_what_is_loaded(folder: Path) -> None:
    saved, loaded = tiny_llama(seed=3), load_model(str(folder))
    assert (loaded.model_hash, loaded.template_hash) == (saved.model_hash, saved.template_hash)
    assert loaded.tokenizer.get_vocab() == saved.tokenizer.get_vocab()
    assert loaded.end_ids == saved.end_ids


@torch.no_grad()
def test_plain_transformers_loads_what_is_saved(folder: Path) -> None:
    ids = torch.tensor([AutoTokenizer.from_pretrained(folder)("Hello")["input_ids"]])
    plain = AutoModelForCausalLM.from_pretrained(folder)
    torch.testing.assert_close(plain(ids).logits, tiny_llama(seed=3).model(ids).logits, atol=1e-5, rtol=0)


def test_tags_survive_saving_and_loading(tmp_path: Path) -> None:
    model = tiny_llama()
    add_tags(model, ["<|good|>", "<|bad|>"])
    model.save(tmp_path)
    loaded = load_model(str(tmp_path))
    prompt = Prompt(text="Once", tag="<|good|>")
    assert loaded.tags == model.tags
    assert loaded.encode(prompt) == model.encode(prompt)
    assert loaded.model_hash == model.model_hash


def test_only_safetensors_are_written(folder: Path) -> None:
    assert [path.name for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".pt")] == [
        "model.safetensors"
    ]


def test_tiny_needs_no_download() -> None:
    assert load_model("tiny").model_hash == tiny_llama().model_hash


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert_refused(str(tmp_path / "missing"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert_refused(str(tmp_path))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_refused(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    assert_refused(str(folder))


@pytest.mark.parametrize("torn", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_with_a_torn_file_is_refused(folder: Path, torn: str) -> None:
    whole = (folder / torn).read_bytes()
    (folder / torn).write_bytes(whole[: len(whole) // 2])
    assert_refused(str(folder))


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(tiny_llama().model.state_dict(), folder / "pytorch_model.bin")
    assert_refused(str(folder))


def test_a_model_that_does_not_decode_from_left_to_right_is_refused(tmp_path: Path) -> None:
    config = BertConfig(
        vocab_size=259,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        initializer_range=0.4,
    )
    BertForMaskedLM(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    assert_refused(str(tmp_path))


def test_code_that_comes_with_a_model_is_never_run_nor_asked_about(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = folder / "it ran"
    (folder / "modeling_own.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": classes}))
    asked = []

    def answer(question: str = "") -> str:
        asked.append(question)
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    assert_refused(str(folder))
    assert not asked
    assert not marker.exists()


def test_a_skeleton_has_the_layers_and_none_of_the_weights(folder: Path) -> None:
    skeleton, model = load_skeleton(str(folder)), load_model(str(folder)).model
    shapes = {name: weight.shape for name, weight in skeleton.named_parameters()}
    assert shapes == {name: weight.shape for name, weight in model.named_parameters()}
    assert all(weight.is_meta for weight in skeleton.parameters())
    with pytest.raises(ModelError, match="nowhere"):
        load_skeleton(str(folder / "nowhere"))


def test_the_files_of_a_model_are_in_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_folder(str(folder)) == folder
    assert model_folder("bundled") == bundled_model()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="ann/nowhere") as caught:
        model_folder("ann/nowhere")
    assert "\n" not in caught.value.message


def test_four_bits_without_their_package_say_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planish.models.loading.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError) as caught:
        load_model(str(folder), four_bit=True)
    assert caught.value.hint == "pip install 'planish[four-bit]'"


needs_bitsandbytes = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
IDS = torch.arange(3, 40)[None]


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A model whose layers are as wide as a block of those that share a scale."""
    config = LlamaConfig(
        vocab_size=259,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.05,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    LanguageModel(model, tiny_tokenizer(), "wide").save(tmp_path / "wide")
    return tmp_path / "wide"


def logits(model: LanguageModel) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.model(input_ids=IDS).logits.flatten()
    return found


@needs_bitsandbytes
def test_four_bits_say_nearly_the_same_in_a_fraction_of_the_memory(wide: Path) -> None:
    plain, small = load_model(str(wide)), load_model(str(wide), four_bit=True)
    assert float(torch.cosine_similarity(logits(plain), logits(small), dim=0)) > 0.9
    assert not torch.equal(logits(plain), logits(small))
    layer = small.model.get_decoder().layers[0].mlp.up_proj.weight
    assert layer.nbytes == plain.model.get_decoder().layers[0].mlp.up_proj.weight.nbytes / 8
    assert small.model.get_output_embeddings().weight.dtype == torch.float32


@needs_bitsandbytes
def test_to_read_changes_nothing_of_four_bits_nor_of_their_copy(wide: Path) -> None:
    model = load_model(str(wide), four_bit=True)
    hash_before, before = model.model_hash, logits(model)
    copy = with_adapter(model, AdapterSettings(rank=4)).model
    assert torch.equal(logits(copy), before)
    assert model.model_hash == hash_before


@needs_bitsandbytes
@pytest.mark.parametrize("reads_first", [True, False])
def test_an_adapter_on_four_bits_gets_the_gradient_it_would_get_on_the_weights_they_stand_for(
    reads_first: bool, wide: Path
) -> None:
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn.modules import Linear4bit

    small, plain = load_model(str(wide), four_bit=True), load_model(str(wide))
    layers = dict(plain.model.named_modules())
    for name, layer in small.model.named_modules():
        if isinstance(layer, Linear4bit):
            weight: Any = layer.weight
            layers[name].weight.data = dequantize_4bit(weight.data, weight.quant_state).float()
    if reads_first:
        logits(small)
    gradients = []
    for model in (small, plain):
        adapted = with_adapter(model, AdapterSettings(rank=4))
        adapted.adapter(input_ids=IDS, labels=IDS).loss.backward()
        gradients.append({n: w.grad for n, w in adapted.adapter.named_parameters() if w.grad is not None})
    found, expected = gradients
    assert found.keys() == expected.keys()
    assert len([name for name in found if "lora_B" in name]) == 2 * 7 + 1
    for name, gradient in found.items():
        if "lora_B" in name:  # those of A are zero while B is
            # They are computed in bfloat16, which keeps 8 bits.
            difference = float((gradient - expected[name]).norm() / expected[name].norm())
            assert difference < 0.1, name


@needs_bitsandbytes
def test_an_adapter_trained_on_four_bits_is_merged_into_the_model_as_it_was(wide: Path, tmp_path: Path) -> None:
    adapted = with_adapter(load_model(str(wide), four_bit=True), AdapterSettings(rank=4))
    weights = [weight for weight in adapted.adapter.parameters() if weight.requires_grad]
    optimiser = torch.optim.SGD(weights, lr=0.5)
    losses = []
    for _ in range(5):
        loss = adapted.adapter(input_ids=IDS, labels=IDS).loss
        losses.append(float(loss))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    adapted.save(tmp_path / "adapter")
    merge_adapter(wide, tmp_path / "adapter", tmp_path / "merged")
    merged = load_model(str(tmp_path / "merged"))
    expected = load_adapter(load_model(str(wide)), tmp_path / "adapter").merged()
    torch.testing.assert_close(logits(merged), logits(expected), rtol=1e-4, atol=1e-4)
