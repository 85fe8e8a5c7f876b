import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    Qwen2Config,
    SiglipVisionConfig,
)

from planish.errors import ModelError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tiny import tiny_tokenizer
from planish.train.adapter import AdapterSettings, with_adapter
from planish.train.merge import merge_adapter

IDS = torch.arange(3, 40)[None]
SIZES: dict[str, Any] = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}


def llama(**options: Any) -> LlamaConfig:
    return LlamaConfig(**SIZES, **options)


def gpt2(**options: Any) -> GPT2Config:
    return GPT2Config(vocab_size=259, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3, **options)


def gemma(**options: Any) -> Gemma3TextConfig:
    return Gemma3TextConfig(**SIZES, head_dim=8, **options)


CONFIGS: dict[str, Callable[[], PretrainedConfig]] = {
    "llama-tied": lambda: llama(tie_word_embeddings=True),
    "llama": lambda: llama(tie_word_embeddings=False),
    "qwen2-tied": lambda: Qwen2Config(**SIZES, tie_word_embeddings=True),
    "qwen2": lambda: Qwen2Config(**SIZES, tie_word_embeddings=False),
    "gemma-tied": gemma,
    "gemma": lambda: gemma(tie_word_embeddings=False),
    "gpt2-tied": gpt2,
    "gpt2": lambda: gpt2(tie_word_embeddings=False),
}


def save_base(config: PretrainedConfig, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    LanguageModel(model, tiny_tokenizer(), "random").save(folder)
    return folder


def randomised(adapter: PeftModel) -> PeftModel:
    draws = torch.Generator().manual_seed(1)
    for name, weight in adapter.named_parameters():
        if "lora_B" in name:
            weight.data = 0.3 * torch.randn(weight.shape, generator=draws)
    return adapter.eval()


def save_lora(base: Path, folder: Path, **options: Any) -> Path:
    """An adapter by PEFT alone, on the untied model."""
    model = load_model(str(base)).model
    usual = {"r": 4, "lora_alpha": 6, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    randomised(get_peft_model(model, LoraConfig(**{**usual, **options}))).save_pretrained(
        str(folder), save_embedding_layers=False
    )
    return folder


@torch.no_grad()
def logits(model: Any) -> Tensor:
    found: Tensor = model(input_ids=IDS).logits
    return found


def loaded(folder: Path) -> Any:
    """By plain transformers, with not a weight missing or left over."""
    load: Any = AutoModelForCausalLM.from_pretrained
    model, report = load(folder, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    return model


def assert_same_weights(model: Any, expected: Any) -> None:
    wanted = expected.state_dict()
    found = model.state_dict()
    assert found.keys() == wanted.keys()
    for name, weight in found.items():
        torch.testing.assert_close(weight, wanted[name], rtol=1e-6, atol=1e-6, msg=name)


def tensors(folder: Path) -> dict[str, Tensor]:
    return {name: weight for path in folder.glob("*.safetensors") for name, weight in load_file(path).items()}


@pytest.mark.parametrize("strength", [1.0, 0.4, -1.0])
@pytest.mark.parametrize("kind", CONFIGS)
def test_the_files_hold_what_peft_would_merge_in_memory(kind: str, strength: float, tmp_path: Path) -> None:
    base = save_base(CONFIGS[kind](), tmp_path / "base")
    adapted = with_adapter(load_model(str(base)), AdapterSettings(rank=4, alpha=6))
    randomised(adapted.adapter)
    adapted.save(tmp_path / "adapter")
    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged", strength)
    model = loaded(tmp_path / "merged")
    expected = adapted.merged(strength).model
    assert_same_weights(model, expected)
    torch.testing.assert_close(logits(model), logits(expected), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(model), logits(load_model(str(base)).model), rtol=1e-2, atol=1e-2)


def test_a_tied_head_that_the_adapter_leaves_alone_stays_tied(tmp_path: Path) -> None:
    base = save_base(llama(tie_word_embeddings=True), tmp_path / "base")
    save_lora(base, tmp_path / "adapter")
    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged")
    assert "lm_head.weight" not in tensors(tmp_path / "merged")
    assert loaded(tmp_path / "merged").config.tie_word_embeddings


def test_at_strength_zero_every_tensor_is_the_one_of_the_base(tmp_path: Path) -> None:
    base = save_base(llama(tie_word_embeddings=False), tmp_path / "base")
    merge_adapter(base, save_lora(base, tmp_path / "adapter"), tmp_path / "merged", strength=0)
    before, after = tensors(base), tensors(tmp_path / "merged")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    "options",
    [
        {"use_rslora": True},
        {"alpha_pattern": {"q_proj": 32}, "rank_pattern": {"q_proj": 2, "layers.1.mlp.up_proj": 8}},
        {"target_modules": ["q_proj", "lm_head"], "layers_to_transform": [1]},
        {"target_modules": r".*\.1\..*_proj"},
        {"bias": "none", "init_lora_weights": "gaussian", "lora_dropout": 0.5},
    ],
)
def test_what_an_adapter_is_set_to_is_honoured(options: dict[str, Any], tmp_path: Path) -> None:
    base = save_base(llama(tie_word_embeddings=False), tmp_path / "base")
    save_lora(base, tmp_path / "adapter", **options)
    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged")
    in_memory = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(tmp_path / "adapter"))
    assert_same_weights(loaded(tmp_path / "merged"), in_memory.merge_and_unload())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_weight_keeps_its_dtype_and_is_rounded_once(dtype: torch.dtype, tmp_path: Path) -> None:
    base = save_base(llama(tie_word_embeddings=False), tmp_path / "base", dtype)
    save_lora(base, tmp_path / "adapter")
    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float64)
    exact = PeftModel.from_pretrained(model, str(tmp_path / "adapter"), autocast_adapter_dtype=False)
    merged = exact.merge_and_unload().state_dict()
    for name, weight in tensors(tmp_path / "merged").items():
        assert weight.dtype == dtype
        # Half the distance to the next number of this dtype, and the error of a sum in float32.
        rounding = torch.finfo(dtype).eps / 2 * merged[name].abs() + 1e-6
        assert ((weight.double() - merged[name]).abs() <= rounding).all(), name


@pytest.mark.parametrize("shard_bytes", [1, 20_000, 10**9])
def test_shards_are_no_larger_than_asked_for_and_load_as_one(shard_bytes: int, tmp_path: Path) -> None:
    base = save_base(gemma(), tmp_path / "base")
    save_lora(base, tmp_path / "adapter", target_modules=["q_proj"])
    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged", shard_bytes=shard_bytes)
    files = sorted((tmp_path / "merged").glob("*.safetensors"))
    assert len(files) == {1: len(tensors(base)), 10**9: 1}.get(shard_bytes, len(files))
    for path in files:
        shard = load_file(path)
        size = sum(weight.nbytes for weight in shard.values())
        assert size <= shard_bytes or len(shard) == 1
    in_memory = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(tmp_path / "adapter"))
    assert_same_weights(loaded(tmp_path / "merged"), in_memory.merge_and_unload())


@pytest.mark.parametrize("kind", ["llama-tied", "gpt2"])
@pytest.mark.parametrize("block_bytes", [1, 300, 1_000])
def test_it_does_not_matter_how_much_is_read_at_a_time(
    kind: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_base(CONFIGS[kind](), tmp_path / "base")
    adapter = save_lora(base, tmp_path / "adapter")
    merge_adapter(base, adapter, tmp_path / "at once")
    monkeypatch.setattr("planish.train.merge.BLOCK_BYTES", block_bytes)
    merge_adapter(base, adapter, tmp_path / "in parts")
    assert_same_weights(loaded(tmp_path / "in parts"), loaded(tmp_path / "at once"))


def test_a_base_in_shards_is_merged_as_one_in_a_single_file(tmp_path: Path) -> None:
    base = save_base(llama(tie_word_embeddings=True), tmp_path / "base")
    save_lora(base, tmp_path / "adapter")
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(tmp_path / "sharded", max_shard_size=20_000)
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 2
    merge_adapter(base, tmp_path / "adapter", tmp_path / "one")
    merge_adapter(tmp_path / "sharded", tmp_path / "adapter", tmp_path / "two")
    one, two = tensors(tmp_path / "one"), tensors(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("head", [True, False])
def test_names_of_the_base_may_be_those_of_another_release(head: bool, tmp_path: Path) -> None:
    """A checkpoint of GPT-2 that names its tensors without the wrapper, as the first one did."""
    base = save_base(gpt2(), tmp_path / "base")
    adapted = with_adapter(load_model(str(base)), AdapterSettings(rank=4), head=head)
    randomised(adapted.adapter)
    adapted.save(tmp_path / "adapter")
    bare = {name.removeprefix("transformer."): weight for name, weight in tensors(base).items()}
    save_file(bare, base / "model.safetensors", {"format": "pt"})
    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged")
    assert_same_weights(loaded(tmp_path / "merged"), adapted.merged().model)


def seeing_gemma() -> Gemma3Config:
    vision = SiglipVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=28,
        patch_size=14,
    )
    return Gemma3Config(
        text_config=gemma(),
        vision_config=vision,
        mm_tokens_per_image=4,
        image_token_index=258,
        tie_word_embeddings=True,
    )


@pytest.mark.parametrize("naming", ["first", "now"])
def test_a_model_that_sees_has_its_layers_of_text_changed_and_no_other(naming: str, tmp_path: Path) -> None:
    """Both towers have layers of the same names, and the first release named all of them differently."""
    base = tmp_path / "base"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LanguageModel(Gemma3ForConditionalGeneration(seeing_gemma()), tiny_tokenizer(), "random").save(base)
    saved = tensors(base)
    if naming == "now":
        saved = {
            name.replace("language_model.model.", "model.language_model.").replace("vision", "model.vision", 1): weight
            for name, weight in saved.items()
        }
        save_file(saved, base / "model.safetensors", {"format": "pt"})
    adapted = with_adapter(load_model(str(base)), AdapterSettings(rank=4))
    randomised(adapted.adapter)
    adapted.save(tmp_path / "adapter")
    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged")
    assert_same_weights(loaded(tmp_path / "merged"), adapted.merged().model)
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert not config["tie_word_embeddings"]
    assert not config["text_config"]["tie_word_embeddings"]


def test_all_that_a_server_needs_comes_along_and_nothing_else(tmp_path: Path) -> None:
    base = save_base(llama(tie_word_embeddings=True), tmp_path / "base")
    (base / "LICENSE").write_text("of the base\n")
    (base / "chat_template.jinja").write_text("{{ messages }}\n")
    (base / "README.md").write_text("# what the base is\n")
    (base / "modeling_own.py").write_text("raise SystemExit\n")
    (base / "pytorch_model.bin").write_bytes(b"pickled")
    settings = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(settings | {"auto_map": {"AutoConfig": "modeling_own.Own"}}))
    adapter = save_lora(save_base(llama(), tmp_path / "other"), tmp_path / "adapter")
    merge_adapter(base, adapter, tmp_path / "merged")
    texts = ["config", "generation_config", "tokenizer", "tokenizer_config"]
    wanted = [*(f"{name}.json" for name in texts), "LICENSE", "chat_template.jinja"]
    assert {path.name for path in (tmp_path / "merged").iterdir()} == {*wanted, "model.safetensors"}
    for name in wanted:
        found, given = ((folder / name).read_text() for folder in (tmp_path / "merged", base))
        if name.endswith("config.json"):
            assert json.loads(found) == {key: value for key, value in json.loads(given).items() if key != "auto_map"}
        else:
            assert found == given
    assert load_model(str(tmp_path / "merged")).template_hash == load_model(str(base)).template_hash


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    base = save_base(llama(tie_word_embeddings=False), tmp_path / "base")
    return base, save_lora(base, tmp_path / "adapter")


def assert_refused(base: Path, adapter: Path, *words: str) -> None:
    target = adapter.parent / "refused"
    with pytest.raises(ModelError) as caught:
        merge_adapter(base, adapter, target)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    for word in words:
        assert word in caught.value.message
    assert not list(target.parent.glob("refused*")), "something was left behind"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"lora_bias": True}, "lora_bias"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["embed_tokens"]}, "modules_to_save"),
        ({"trainable_token_indices": [3, 4]}, "trainable_token_indices"),
        ({"init_lora_weights": "olora"}, "init_lora_weights"),
        ({"target_modules": ["q_proj", "embed_tokens"]}, "embed_tokens"),
        ({"layer_replication": [(0, 2), (0, 2)]}, "layer_replication"),
    ],
)
def test_an_adapter_that_is_more_than_a_sum_is_refused(
    options: dict[str, Any], said: str, pair: tuple[Path, Path]
) -> None:
    base, adapter = pair
    shutil.rmtree(adapter)
    assert_refused(base, save_lora(base, adapter, **options), "more than a plain LoRA", said)


def test_an_adapter_of_another_kind_is_refused(pair: tuple[Path, Path]) -> None:
    base, adapter = pair
    model = load_model(str(base)).model
    get_peft_model(
        model, IA3Config(target_modules=["k_proj"], feedforward_modules=[], task_type="CAUSAL_LM")
    ).save_pretrained(str(adapter))
    assert_refused(base, adapter, "IA3")


def test_a_layer_without_a_tensor_of_its_own_is_named(pair: tuple[Path, Path]) -> None:
    base, adapter = pair
    weights = tensors(base)
    query, key = (weights.pop(f"model.layers.1.self_attn.{kind}_proj.weight") for kind in "qk")
    weights["model.layers.1.self_attn.qk_proj.weight"] = torch.cat([query, key])
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    assert_refused(base, adapter, "model.layers.1.self_attn.", "no tensor of its own")


def test_an_adapter_for_another_model_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, adapter = pair
    wider = LlamaConfig(**{**SIZES, "intermediate_size": 56})
    assert_refused(save_base(wider, tmp_path / "wider"), adapter, "shape", "mlp")
    shallow = LlamaConfig(**{**SIZES, "num_hidden_layers": 1})
    assert_refused(save_base(shallow, tmp_path / "shallow"), adapter, "model.layers.1.", "has not")


def test_quantised_weights_are_refused(pair: tuple[Path, Path]) -> None:
    base, adapter = pair
    weights = {
        name: (weight * 10).to(torch.int8) if "q_proj" in name else weight for name, weight in tensors(base).items()
    }
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    assert_refused(base, adapter, "q_proj", "I8")


@pytest.mark.parametrize(
    ("which", "name"),
    [
        (0, "config.json"),
        (0, "model.safetensors"),
        (1, "adapter_config.json"),
        (1, "adapter_model.safetensors"),
    ],
)
def test_a_file_that_is_missing_or_torn_is_named(which: int, name: str, pair: tuple[Path, Path]) -> None:
    folder = pair[which]
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    assert_refused(*pair, str(folder))
    (folder / name).unlink()
    assert_refused(*pair, str(folder))


def test_a_folder_that_is_there_is_left_alone(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    with pytest.raises(UsageError, match="there already"):
        merge_adapter(*pair, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_an_empty_folder_and_what_a_kill_left_are_no_obstacle(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged.partial").mkdir()
    (tmp_path / "merged.partial" / "model.safetensors").write_bytes(b"half")
    merge_adapter(*pair, tmp_path / "merged")
    loaded(tmp_path / "merged")
    assert not (tmp_path / "merged.partial").exists()


def test_until_it_is_whole_it_is_not_there(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, _: Path) -> None:
        assert not (tmp_path / "merged").exists()
        raise OSError(28, "No space left on device", str(source))

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(ModelError, match="No space left on device"):
        merge_adapter(*pair, tmp_path / "merged")
    assert not list(tmp_path.glob("merged*"))


MEASURED = """
import sys, resource
from pathlib import Path
from planish.train.merge import merge_adapter
small, big, adapter, small_adapter, target = map(Path, sys.argv[1:])
merge_adapter(small, small_adapter, target / "small")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
merge_adapter(big, adapter, target / "big")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of the peak is another elsewhere")
@pytest.mark.slow
def test_a_model_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    small = save_base(llama(tie_word_embeddings=True), tmp_path / "small")
    save_lora(small, tmp_path / "small_adapter")
    sizes = {**SIZES, "vocab_size": 64_000, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 10}
    big = save_base(LlamaConfig(**sizes, tie_word_embeddings=True), tmp_path / "big")
    save_lora(big, tmp_path / "adapter")
    size = (big / "model.safetensors").stat().st_size
    assert size > 250 * 10**6
    folders = [small, big, tmp_path / "adapter", tmp_path / "small_adapter", tmp_path / "merged"]
    measured = subprocess.run(  # noqa: S603 - our own lines
        [sys.executable, "-c", MEASURED, *map(str, folders)], capture_output=True, text=True, check=True
    )
    assert int(measured.stdout) < size / 2, f"{int(measured.stdout) / 2**20:.0f} MiB of {size / 2**20:.0f}"
    with safe_open(tmp_path / "merged" / "big" / "model.safetensors", framework="pt") as merged:
        assert len(list(merged.keys())) == 10 * 9 + 2
