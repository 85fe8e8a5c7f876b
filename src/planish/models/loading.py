"""Loading a model by name: a folder, a Hub id, the bundled model, or a random tiny one."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from planish.errors import MissingPackageError, ModelError
from planish.models.bundled import bundled_model
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.models.tokens import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


# What of a model's folder on the Hub is needed to load it, or to export it.
NEEDED_FILES = ["*.json", "model*.safetensors", "*.jinja", "*.model", "*.txt", "LICENSE*", "NOTICE*"]

# Whether a layer of bitsandbytes would lay its weights anew for a CPU.
REPACKS = "support_avx512bf16_for_cpu"


def load_model(name: str, device: str = "cpu", four_bit: bool = False) -> LanguageModel:
    """Load a model. Safetensors only, and never remote code.

    `bundled` is the small model that ships, `tiny` a random tiny Llama. On a CPU all weights are read as float32, which
    is as fast there as half of it and loses nothing.

    Args:
        name: of the model.
        device: cpu, cuda, mps, or auto: a graphics card where there is one.
        four_bit: whether the linear layers, all but the head, are kept in 4 bits a weight (NF4, its scales quantised
            too) and computed in bfloat16: to train an adapter in a third of the memory. `tiny` stays as it is.

    Raises:
        ModelError: there is no such model, it does not fit, or its head cannot be told from its decoder.
        MissingPackageError: four bits are asked for, and bitsandbytes is not installed.

    Source: Dettmers et al. 2023, QLoRA, section 3 (NF4, double quantisation).
    """
    device = best_device() if device == "auto" else device
    if name == "tiny":
        tiny = tiny_llama()
        return LanguageModel(_moved(tiny.model, device), tiny.tokenizer, name)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(bundled_model()) if name == "bundled" else name
    options = _four_bit(device) if four_bit else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32 if device == "cpu" else "auto",
            **options,
        )
    except Exception as error:  # a broken folder can break any part of two libraries
        raise _cannot_load(name, error) from error
    loaded = LanguageModel(_trainable(model) if four_bit else _moved(model, device), tokenizer, name)
    _ = loaded.alone_because  # a model that cannot be read at all is refused now
    return loaded


def load_tokens(name: str) -> Tokens:
    """Load a model's tokenizer and configuration, without its weights: enough where a server has those.

    Raises:
        ModelError: there is no such model.
    """
    if name == "tiny":
        return tiny_llama()
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    folder = str(bundled_model()) if name == "bundled" else name
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # as above
        raise _cannot_load(name, error) from error
    try:
        generation_config = GenerationConfig.from_pretrained(folder)
    except OSError:  # many models have none
        generation_config = GenerationConfig.from_model_config(config)
    return Tokens(tokenizer, name, config, generation_config)


def load_skeleton(name: str) -> "PreTrainedModel":
    """Load a model's layers without their weights: what they are called, of what kind and shape they are.

    Raises:
        ModelError: there is no such model.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = str(bundled_model()) if name == "bundled" else name
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.device("meta"):
            skeleton: PreTrainedModel = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # as above
        raise _cannot_load(name, error) from error
    return skeleton


def model_folder(name: str) -> Path:
    """Where the files of a model are: the folder itself, the bundled one, or what was taken from the Hub.

    Raises:
        ModelError: there is no such model, or it has no files.
    """
    if name == "bundled" or Path(name).is_dir():
        return bundled_model() if name == "bundled" else Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=NEEDED_FILES))
    except Exception as error:  # as above
        raise _cannot_load(name, error) from error


def _four_bit(device: str) -> dict[str, Any]:
    """How transformers is told to quantise; the weights go to their device as they are read."""
    if find_spec("bitsandbytes") is None:
        raise MissingPackageError("bitsandbytes")
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": quantization, "device_map": {"": device}}


def _trainable(model: "PreTrainedModel") -> "PreTrainedModel":
    """The same model in four bits, its layers kept from repacking their weights for some CPUs.

    They do so in the first pass without gradients, and every gradient after it would silently be lost.
    """
    for layer in model.modules():
        if hasattr(layer, REPACKS):
            setattr(layer, REPACKS, False)
    return model


def _cannot_load(name: str, error: Exception) -> ModelError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    hint = "give a folder with config.json and *.safetensors, a Hub id, bundled, or tiny"
    return ModelError(f"cannot load the model {name!r}: {reason}", hint)


def best_device() -> str:
    """What `auto` stands for: a graphics card where there is one."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _moved(model: "PreTrainedModel", device: str) -> "PreTrainedModel":
    try:
        return nn.Module.to(model, device)
    except torch.OutOfMemoryError as error:
        hint = "a smaller model, another --device, or free the memory that others hold"
        raise ModelError(f"the model does not fit into the memory of {device!r}", hint) from error
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"there is no device {device!r} here: {error}".splitlines()[0], "--device cpu") from error
