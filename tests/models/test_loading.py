import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertForMaskedLM

from planish.errors import ModelError
from planish.models.loading import load_model
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama, tiny_tokenizer
from planish.records.prompt import Prompt


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
