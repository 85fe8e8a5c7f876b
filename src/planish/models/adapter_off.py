"""An adapter switched on and off, as two models that share one set of weights."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from planish.errors import MissingPackageError, ModelError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model

if TYPE_CHECKING:
    from transformers.cache_utils import Cache

WEIGHTS = "adapter_model.safetensors"


class AdapterOff(LanguageModel):
    """What a model with a PEFT adapter is without it; no weight is stored twice.

    The adapter is off only while this one reads or speaks. The two must take turns: they are one module.

    Raises:
        MissingPackageError: there is no peft.
        ModelError: the model has no adapter beside its weights.
    """

    def __init__(self, adapted: LanguageModel) -> None:
        self._layers = _adapter_layers(adapted)
        if not self._layers:
            raise ModelError(f"the model {adapted.name!r} has no adapter beside its weights", "give one with a LoRA")
        super().__init__(adapted.model, adapted.tokenizer, f"{adapted.name} without its adapter")

    @property
    def model_hash(self) -> str:
        """Another than with the adapter."""
        return hashlib.blake2b(f"{super().model_hash} without its adapter".encode(), digest_size=8).hexdigest()

    def on(self, device: torch.device) -> "AdapterOff":
        """A copy on another device, where it shares its weights with no other."""
        return AdapterOff(super().on(device))

    def hidden(
        self,
        ids: Tensor,
        position_ids: Tensor,
        mask: Callable[[int | None], Tensor | None],
        cache: "Cache | None" = None,
    ) -> Tensor:
        """See `LanguageModel`."""
        with self._off():
            return super().hidden(ids, position_ids, mask, cache)

    def head(self, hidden: Tensor) -> Tensor:
        """See `LanguageModel`."""
        with self._off():
            return super().head(hidden)

    def hidden_alone(
        self, ids: Sequence[int], states: Mapping[str, Any] | None = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """See `LanguageModel`."""
        with self._off():
            return super().hidden_alone(ids, states)

    @cached_property
    def alone_because(self) -> str:
        """See `LanguageModel`."""
        with self._off():
            return super().alone_because

    @contextmanager
    def _off(self) -> Iterator[None]:
        """Switch the adapter off, unless it is off already, and leave everything as it was."""
        switched = [layer for layer in self._layers if not layer.disable_adapters]
        # Switching freezes and thaws weights, which is nobody's business here.
        trained = [(weight, weight.requires_grad) for layer in switched for weight in layer.parameters()]
        for layer in switched:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in switched:
                layer.enable_adapters(True)
            for weight, was_trained in trained:
                weight.requires_grad_(was_trained)


def load_adapted(name: str, folder: Path, device: str = "cpu") -> LanguageModel:
    """Load a model with an adapter beside its weights.

    Args:
        name: of the model.
        folder: of the adapter, as PEFT writes it. Safetensors only.
        device: as for `load_model`.

    Raises:
        MissingPackageError: there is no peft.
        ModelError: there is no such model or adapter, or the two do not fit.
    """
    peft = _peft()
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"there is no adapter in {folder}: no {WEIGHTS}", "give a folder that PEFT has written")
    model = load_model(name, device)
    try:
        adapted = peft.PeftModel.from_pretrained(model.model, str(folder))
    except Exception as error:  # a broken folder can break any part of three libraries
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"cannot put the adapter in {folder} on {name!r}: {reason}", "give the model that it was trained on"
        ) from error
    if not isinstance(adapted.base_model, peft.tuners.tuners_utils.BaseTuner):
        raise ModelError(f"the adapter in {folder} is a prompt and no change of the weights", "give a LoRA")
    return LanguageModel(model.model, model.tokenizer, f"{name} with {folder}")


def _adapter_layers(model: LanguageModel) -> list[Any]:
    peft = _peft()
    kinds = (peft.tuners.tuners_utils.BaseTunerLayer, peft.utils.AuxiliaryTrainingWrapper)
    return [module for module in model.model.modules() if isinstance(module, kinds)]


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingPackageError("peft") from error
    return peft
