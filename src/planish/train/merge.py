"""Merging an adapter into the files of a model, so that a model that fits the disk need not fit the memory."""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, PeftConfig
from peft.utils.other import get_pattern_key
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from planish.errors import ModelError, UsageError
from planish.models.loading import load_skeleton
from planish.runs.disk import PARTIAL, sync, sync_tree

SHARD_BYTES = 5 * 10**9
# So much of a tensor is in memory at a time, beside as much again for the sum in float32.
BLOCK_BYTES = 2**24
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# What servers and plain transformers want beside the weights, and the terms under which a model may be passed on.
COMPANIONS = [
    *("config.json", "generation_config.json", "*processor_config.json", "chat_template*", "additional_chat_templates"),
    *("*token*", "tekken.json", "vocab*", "merges.txt", "*.model", "LICENSE*", "NOTICE*"),
]
LORA_WEIGHT = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
# Settings of an adapter that do not change how its two matrices make a difference to a weight, or that are honoured.
# Any other may, and so may those that a later PEFT invents.
HONOURED = {
    *("peft_type", "peft_version", "task_type", "auto_mapping", "base_model_name_or_path", "revision"),
    *("inference_mode", "r", "lora_alpha", "lora_dropout", "rank_pattern", "alpha_pattern", "use_rslora"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "runtime_config", "megatron_core"),
    *("fan_in_fan_out", "init_lora_weights", "eva_config", "qalora_group_size"),
}
# Those that leave the weights of the model as they are; others take something out of them first.
HONOURED_INITS = (True, False, "gaussian", "orthogonal", "eva")
# Parts of names that wrap the same layers in some files and releases, and do not in others.
WRAPPERS = {"model", "language_model", "text_model", "transformer"}
OWN_BASE = "give the model that the adapter was made for"


class _Difference(NamedTuple):
    """What an adapter adds to a weight: `left` (rows, R) times `right` (R, columns), in float32."""

    left: Tensor
    right: Tensor


class _Stored(NamedTuple):
    """A tensor to be written: where its bytes are now, and what is added to it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    length: int
    difference: _Difference | None = None


def merge_adapter(
    base: Path, adapter: Path, target: Path, strength: float = 1.0, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write the model with an adapter folded into its weights, each in its own dtype, rounded once.

    In memory are the adapter and a few MB, never the model. A head that shares the embedding's tensor gets one of its
    own if the adapter changes it. The folder is there whole or not at all.

    Args:
        base: the folder of the model that the adapter was made for, with *.safetensors.
        adapter: a folder from `Adapted.save`, or any other LoRA by PEFT.
        target: the folder to be made.
        strength: how much of the adapter; 0 is the model without it.
        shard_bytes: the most that one file holds, but for a tensor that is larger.

    Raises:
        UsageError: the target is there already.
        ModelError: one of the two cannot be read, they do not fit each other, the adapter is of a kind that needs more
            than a sum, or the target cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there already", "give another folder, or delete it")
    skeleton = load_skeleton(str(base))
    tensors, unties = _planned(base, skeleton, _differences(adapter, skeleton, strength))
    partial = target.with_name(target.name + PARTIAL)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write_weights(tensors, partial, shard_bytes)
        _write_companions(base, partial, unties)
        sync_tree(partial)
        partial.replace(target)
        sync(target.parent)
    except OSError as error:
        reason = f"the merged model cannot be written to {target}: {error.strerror or error}"
        raise ModelError(reason, "free some space, or give another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _differences(adapter: Path, skeleton: PreTrainedModel, strength: float) -> dict[str, _Difference]:
    """What the adapter adds, by the layer's name in the model."""
    config = _lora_config(adapter)
    layers = defaultdict(list)
    for name, layer in skeleton.named_modules():
        if isinstance(layer, nn.Linear | Conv1D):
            layers[_path(name)].append((name, layer))
    found = {}
    for module, (down, up) in _lora_weights(adapter).items():
        if len(layers[_path(module)]) != 1:
            raise ModelError(f"the adapter changes the layer {module!r}, which the model has not", OWN_BASE)
        (name, layer), rank = layers[_path(module)][0], len(down)
        alphas = config.alpha_pattern or {}
        alpha = alphas.get(get_pattern_key(list(alphas), module), config.lora_alpha)
        scale = strength * alpha / (rank**0.5 if config.use_rslora else rank)
        pair = _Difference(scale * up, down)
        # Such a layer keeps its weight with the inputs first. A square one shows it by nothing but its kind.
        found[name] = _Difference(pair.right.T, pair.left.T) if isinstance(layer, Conv1D) else pair
    return found


def _lora_config(adapter: Path) -> LoraConfig:
    if not (adapter / "adapter_config.json").is_file():
        raise ModelError(f"{adapter} holds no adapter: it has no adapter_config.json", "give the folder of the adapter")
    try:
        config = PeftConfig.from_pretrained(str(adapter))
    except Exception as error:  # a broken file can break any part of the library
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"cannot read the adapter in {adapter}: {reason}", "mend its adapter_config.json") from error
    if not isinstance(config, LoraConfig):
        raise _not_a_sum(adapter, f"peft_type = {config.peft_type}")
    usual = LoraConfig()
    for name in sorted(field.name for field in fields(LoraConfig) if field.name not in HONOURED):
        if (value := getattr(config, name)) and value != getattr(usual, name):
            raise _not_a_sum(adapter, f"{name} = {value!r}")
    if config.init_lora_weights not in HONOURED_INITS:
        raise _not_a_sum(adapter, f"init_lora_weights = {config.init_lora_weights!r}")
    return config


def _lora_weights(adapter: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """The two matrices of every layer: A (R, in) and B (out, R), in float32."""
    sides: dict[str, dict[str, Tensor]] = defaultdict(dict)
    try:
        with safe_open(adapter / "adapter_model.safetensors", framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                weight = file.get_tensor(key)
                named = LORA_WEIGHT.fullmatch(key)
                if named is None or weight.ndim != 2:
                    raise _not_a_sum(adapter, key)
                sides[named["module"]][named["side"]] = weight.float()
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read the adapter in {adapter}: {error}", "save it again") from error
    for module, pair in sides.items():
        if len(pair) != 2 or len(pair["A"]) != pair["B"].shape[1]:
            raise ModelError(f"the adapter in {adapter} is torn at {module!r}", "save it again")
    return {module: (pair["A"], pair["B"]) for module, pair in sides.items()}


def _not_a_sum(adapter: Path, what: str) -> ModelError:
    return ModelError(
        f"the adapter in {adapter} is more than a plain LoRA: {what}", "load it by PEFT, and merge it in memory"
    )


def _planned(
    base: Path, skeleton: PreTrainedModel, differences: Mapping[str, _Difference]
) -> tuple[list[_Stored], bool]:
    """All tensors to be written, and whether the head has become one of its own."""
    tensors = {tensor.name: tensor for tensor in _stored(base)}
    paths = defaultdict(list)
    for name in tensors:
        paths[_path(name)].append(name)
    modules = {module: name for name, module in skeleton.named_modules()}
    output, embedding = skeleton.get_output_embeddings(), skeleton.get_input_embeddings()
    tied_head = modules[output] if output.weight is embedding.weight else None
    for module, difference in differences.items():
        found, name = paths[f"{_path(module)}.weight"], ""
        if module == tied_head and not found:
            found, name = paths[f"{_path(modules[embedding])}.weight"], f"{module}.weight"
        if len(found) != 1:
            raise ModelError(f"the layer {module!r} has no tensor of its own in {base}", "merge it in memory by PEFT")
        tensor = tensors[found[0]]
        if tensor.dtype not in DTYPES:
            hint = "merge into the model as it was before it was quantised"
            raise ModelError(f"{tensor.name} in {base} is stored as {tensor.dtype}", hint)
        shape = (len(difference.left), difference.right.shape[1])
        if tensor.shape != shape:
            raise ModelError(f"{tensor.name} has the shape {tensor.shape}, and the adapter is for {shape}", OWN_BASE)
        name = name or tensor.name
        tensors[name] = tensor._replace(name=name, difference=difference)
    return list(tensors.values()), tied_head in differences


def _path(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _stored(base: Path) -> Iterator[_Stored]:
    """Every tensor in the files of a model.

    Source: the safetensors format: 8 bytes (the header's length), the header (JSON), the data.
    """
    try:
        files = [WEIGHTS]
        if not (base / WEIGHTS).is_file():
            files = sorted(set(json.loads((base / INDEX).read_bytes())["weight_map"].values()))
        for path in (base / name for name in files):
            with safe_open(path, framework="pt"):  # which refuses a file that is torn
                pass
            with path.open("rb") as file:
                size = int.from_bytes(file.read(8), "little")
                header: dict[str, Any] = json.loads(file.read(size))
            header.pop("__metadata__", None)
            for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
                first, last = entry["data_offsets"]
                yield _Stored(name, entry["dtype"], tuple(entry["shape"]), path, 8 + size + first, last - first)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"cannot read the weights in {base}: {error}", f"it must hold {WEIGHTS} or {INDEX}") from error


def _write_weights(tensors: Sequence[_Stored], folder: Path, shard_bytes: int) -> None:
    shards: list[list[_Stored]] = [[]]
    for tensor in tensors:
        if shards[-1] and sum(other.length for other in shards[-1]) + tensor.length > shard_bytes:
            shards.append([])
        shards[-1].append(tensor)
    if len(shards) == 1:
        _write_shard(shards[0], folder / WEIGHTS)
        return
    files: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        _write_shard(shard, folder / name)
        files |= {tensor.name: name for tensor in shard}
    index = {"metadata": {"total_size": sum(tensor.length for tensor in tensors)}, "weight_map": files}
    (folder / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _write_shard(tensors: Sequence[_Stored], path: Path) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    # The widest numbers first, so that each lies at a multiple of its own width.
    ordered = sorted(tensors, key=lambda tensor: -tensor.length // max(1, torch.Size(tensor.shape).numel()))
    for tensor in ordered:
        start, end = end, end + tensor.length
        header[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in ordered:
            file.writelines(_blocks(tensor, tensor.difference))


def _blocks(tensor: _Stored, difference: _Difference | None) -> Iterator[bytes]:
    """The bytes of a tensor as they are to be written, a few rows at a time."""
    rows = tensor.shape[0] if difference else tensor.length
    row_bytes = tensor.length // max(1, rows)
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    with tensor.file.open("rb") as file:
        file.seek(tensor.start)
        for first in range(0, rows, step):
            block = file.read(min(step, rows - first) * row_bytes)
            if difference:
                weight = torch.frombuffer(bytearray(block), dtype=DTYPES[tensor.dtype]).view(-1, tensor.shape[1])
                merged = weight.float() + difference.left[first : first + len(weight)] @ difference.right
                block = merged.to(weight.dtype).view(torch.uint8).numpy().tobytes()
            yield block


def _write_companions(base: Path, folder: Path, unties: bool) -> None:
    for path in sorted({path for pattern in COMPANIONS for path in base.glob(pattern)}):
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        elif not path.name.endswith("config.json"):
            shutil.copyfile(path, folder / path.name)
        else:
            settings = json.loads(path.read_bytes())
            settings.pop("auto_map", None)  # names code, which does not come along
            if unties and path.name == "config.json":
                settings["tie_word_embeddings"] = False
                (settings.get("text_config") or {})["tie_word_embeddings"] = False
            text = json.dumps(settings, indent=2, ensure_ascii=False)
            (folder / path.name).write_text(text + "\n", encoding="utf-8")
