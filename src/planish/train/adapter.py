"""LoRA adapters by PEFT: put on, saved, loaded, folded in."""

import copy
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.helpers import rescale_adapter_scale
from peft.tuners.tuners_utils import BaseTunerLayer
from pydantic import Field
from torch import nn
from transformers.pytorch_utils import Conv1D

from planish.config import Settings
from planish.errors import UsageError
from planish.models.language_model import LanguageModel

# What stands for the layer that makes logits, whatever an architecture calls it.
HEAD = "lm_head"


class AdapterSettings(Settings):
    """What of a model is trained."""

    rank: int = Field(default=32, ge=1)
    """Rank of the LoRA adapter."""
    alpha: int | None = Field(default=None, ge=1)
    """Its scale is alpha / rank; by default alpha is the rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """The share of its inputs that is left out at random in training."""
    targets: tuple[str, ...] = ()
    """The layers that get an adapter, by the last part of their names, lm_head included; by default all linear ones."""
    last_layers: int | None = Field(default=None, ge=1)
    """Only so many of the last decoder layers get one, beside the head; by default all."""


class Adapted(NamedTuple):
    """A model with an adapter in it, switched on, and PEFT's hold on that adapter."""

    model: LanguageModel
    adapter: PeftModel

    def merged(self, strength: float = 1.0) -> LanguageModel:
        """Another model with this much of the adapter folded into its weights; 0 is the model without it.

        Weights that the adapter leaves alone are shared, as in `with_adapter`.
        """
        adapted = [layer for layer in self.adapter.modules() if isinstance(layer, BaseTunerLayer)]
        folded = {id(weight) for layer in adapted for weight in layer.parameters()}
        shared = {id(weight): weight for weight in self.adapter.parameters() if id(weight) not in folded}
        adapter = copy.deepcopy(self.adapter, shared)
        with rescale_adapter_scale(adapter, strength):
            adapter.merge_adapter()
        # Folded in already: what is left to do is to take the empty shells away.
        return LanguageModel(adapter.unload(), self.model.tokenizer, self.model.name)

    def save(self, folder: Path, strength: float = 1.0) -> None:
        """Write this much of the adapter alone, for `PeftModel.from_pretrained` on the model as it was."""
        weights = {
            name: weight * strength if "lora_B" in name else weight
            for name, weight in self.adapter.state_dict().items()
        }
        tuner: Any = self.adapter.base_model
        own = tuner.peft_config
        # PEFT changes the configuration that it writes.
        tuner.peft_config = written = copy.deepcopy(own)
        for config in written.values():
            if isinstance(config, LoraConfig) and isinstance(config.target_modules, set):
                # Its order is another in every process.
                config.target_modules = sorted(config.target_modules)
            if Path(str(config.base_model_name_or_path)).exists():
                # Where the model lay on this machine says nothing on another.
                config.base_model_name_or_path = ""
        try:
            self.adapter.save_pretrained(str(folder), save_embedding_layers=False, state_dict=weights)
        finally:
            tuner.peft_config = own
        # PEFT's form, nothing of it filled in.
        (folder / "README.md").unlink(missing_ok=True)


def with_adapter(
    model: LanguageModel, settings: AdapterSettings | None = None, seed: int = 0, *, head: bool = True
) -> Adapted:
    """The model with a fresh adapter, which at first changes nothing; the model itself stays as it is.

    Both share their weights, so that a second model costs no memory: none of them is changed by training an adapter.

    Args:
        model: the model.
        settings: what of it gets an adapter.
        seed: of its first weights.
        head: whether the layer that makes logits may get one too.

    Raises:
        UsageError: the model has no such layer.
    """
    settings = settings or AdapterSettings()
    tuned = _sharing_weights(model)
    names = adapted_layers(tuned, settings, head=head)
    if _head_name(tuned) in names:
        untied(tuned)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha or settings.rank,
        lora_dropout=settings.dropout,
        target_modules=_shortest(tuned, names),
        task_type="CAUSAL_LM",
    )
    with _seeded(seed):
        return Adapted(tuned, get_peft_model(tuned.model, config))


def adapted_layers(model: LanguageModel, settings: AdapterSettings, *, head: bool = True) -> list[str]:
    """The full names of the layers that get an adapter.

    Raises:
        UsageError: the model has no such layer.
    """
    output, (layers, count) = _head_name(model), _decoder_layers(model)
    linear = [name for name in _linear(model) if name.startswith(layers)]
    wanted = set(settings.targets)
    known = {name.rpartition(".")[2] for name in linear} | {HEAD}
    if unknown := sorted(wanted - known):
        raise UsageError(
            f"{model.name!r} has no layer {unknown[0]!r}", f"its linear layers: {', '.join(sorted(known))}"
        )
    first = count - (settings.last_layers or count)
    names = [
        name
        for name in linear
        if (not wanted or name.rpartition(".")[2] in wanted) and int(name[len(layers) :].split(".")[0]) >= first
    ]
    names += [output] if head and (not wanted or HEAD in wanted) else []
    if not names:
        raise UsageError(f"of {model.name!r} nothing would be trained", "name layers: " + ", ".join(sorted(known)))
    return names


def load_adapter(model: LanguageModel, folder: Path) -> Adapted:
    """The model with an adapter from `Adapted.save`; the model itself stays as it is."""
    tuned = untied(_sharing_weights(model))
    return Adapted(tuned, PeftModel.from_pretrained(tuned.model, str(folder)))


def untied(model: LanguageModel) -> LanguageModel:
    """The same model, its head no longer the same tensor as its embedding.

    An adapter on a shared tensor would be folded into both, and change what the model reads as well as what it writes.
    """
    output = model.model.get_output_embeddings()
    if output.weight is model.model.get_input_embeddings().weight:
        output.weight = nn.Parameter(output.weight.detach().clone())
        for config in (model.model.config, model.model.config.get_text_config()):
            config.tie_word_embeddings = False
    return model


def copy_of(model: LanguageModel) -> LanguageModel:
    """The same weights again, to be changed."""
    copied = LanguageModel(copy.deepcopy(model.model), copy.deepcopy(model.tokenizer), model.name)
    copied.model.requires_grad_(True)
    return copied


def _sharing_weights(model: LanguageModel) -> LanguageModel:
    """Other layers, but the very same weights in them."""
    weights = {id(weight): weight for weight in model.model.parameters()}
    return LanguageModel(copy.deepcopy(model.model, weights), copy.deepcopy(model.tokenizer), model.name)


def _linear(model: LanguageModel) -> list[str]:
    return [name for name, module in model.model.named_modules() if isinstance(module, nn.Linear | Conv1D)]


def _head_name(model: LanguageModel) -> str:
    output = model.model.get_output_embeddings()
    return str(next(name for name, module in model.model.named_modules() if module is output))


def _decoder_layers(model: LanguageModel) -> tuple[str, int]:
    """How the names of what is in the decoder's layers begin, and how many layers there are.

    A model that sees has layers of another kind too; they are no part of its decoder. Experts are lists in the layers.
    """
    inside = set(model.model.get_decoder().modules())
    lists = {
        name: module
        for name, module in model.model.named_modules()
        if isinstance(module, nn.ModuleList) and module in inside
    }
    outermost = min(name.count(".") for name in lists)
    layers = max((name for name in lists if name.count(".") == outermost), key=lambda name: len(lists[name]))
    return f"{layers}.", len(lists[layers])


def _shortest(model: LanguageModel, names: Collection[str]) -> list[str]:
    """The last parts of the names where these mean the same layers, else the names themselves."""
    last = {name.rpartition(".")[2] for name in names}
    meant = {name for name, _ in model.model.named_modules() if name.rpartition(".")[2] in last}
    return sorted(last if meant == set(names) else names)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
