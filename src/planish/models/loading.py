"""Loading a model by name: a folder, a Hub id, the bundled model, or a random tiny one."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from planish.errors import ModelError
from planish.models.bundled import bundled_model
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.models.tokens import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_model(name: str, device: str = "cpu") -> LanguageModel:
    """Load a model. Safetensors only, and never remote code.

    `bundled` is the small model that ships, `tiny` a random tiny Llama. On a CPU all weights are read as float32, which
    is as fast there as half of it and loses nothing.

    Args:
        name: of the model.
        device: cpu, cuda, mps, or auto: a graphics card where there is one.

    Raises:
        ModelError: there is no such model, it does not fit, or its head cannot be told from its decoder.
    """
    device = best_device() if device == "auto" else device
    if name == "tiny":
        tiny = tiny_llama()
        return LanguageModel(_moved(tiny.model, device), tiny.tokenizer, name)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(bundled_model()) if name == "bundled" else name
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=False, dtype=torch.float32 if device == "cpu" else "auto"
        )
    except Exception as error:  # a broken folder can break any part of two libraries
        raise _cannot_load(name, error) from error
    loaded = LanguageModel(_moved(model, device), tokenizer, name)
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
