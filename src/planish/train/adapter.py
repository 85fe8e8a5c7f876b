"""LoRA adapters by PEFT: put on, saved, loaded, folded in; and the arguments that every trainer here shares."""

import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.helpers import rescale_adapter_scale
from torch import nn
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.pytorch_utils import Conv1D

from planish.errors import ModelError
from planish.models.language_model import LanguageModel
from planish.steer.batch_size import free_bytes, is_out_of_memory, peak_bytes


class Adapted(NamedTuple):
    """A model with an adapter in it, switched on, and PEFT's hold on that adapter."""

    model: LanguageModel
    adapter: PeftModel

    def merged(self, strength: float = 1.0) -> LanguageModel:
        """A copy with this much of the adapter folded into its weights; 0 is the model without it."""
        adapter = copy.deepcopy(self.adapter)
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
        for config in self.adapter.peft_config.values():
            if isinstance(config, LoraConfig):
                # PEFT makes a set of them, whose order is another in every process.
                config.target_modules = sorted(config.target_modules or ())
        self.adapter.save_pretrained(str(folder), save_embedding_layers=False, state_dict=weights)


def with_adapter(model: LanguageModel, rank: int, seed: int = 0, *, head: bool = True) -> Adapted:
    """A copy of the model with a fresh adapter on every linear layer; at first it changes nothing.

    Args:
        model: the model.
        rank: of the adapter.
        seed: of its first weights.
        head: whether the layer that makes logits gets one too.
    """
    tuned = untied(copy_of(model)) if head else copy_of(model)
    output = tuned.model.get_output_embeddings()
    linear = {
        name.rpartition(".")[2]
        for name, module in tuned.model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and (head or module is not output)
    }
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=sorted(linear), task_type="CAUSAL_LM")
    with _seeded(seed):
        return Adapted(tuned, get_peft_model(tuned.model, config))


def load_adapter(model: LanguageModel, folder: Path) -> Adapted:
    """A copy of the model with an adapter from `Adapted.save`."""
    tuned = untied(copy_of(model))
    return Adapted(tuned, PeftModel.from_pretrained(tuned.model, str(folder)))


def untied(model: LanguageModel) -> LanguageModel:
    """The same model, its head no longer the same tensor as its embedding.

    An adapter on a shared tensor would be folded into both, and change what the model reads as well as what it writes.
    """
    output = model.model.get_output_embeddings()
    if output.weight is model.model.get_input_embeddings().weight:
        output.weight = nn.Parameter(output.weight.detach().clone())
        model.model.config.tie_word_embeddings = False
    return model


def copy_of(model: LanguageModel) -> LanguageModel:
    """The same weights again, to be changed."""
    return LanguageModel(copy.deepcopy(model.model), copy.deepcopy(model.tokenizer), model.name)


def quiet_arguments(
    model: LanguageModel, seed: int, learning_rate: float, epochs: int, batch_size: int
) -> TrainingArguments:
    """Arguments for a `Trainer` that writes no checkpoints and prints nothing."""
    return TrainingArguments(
        **shared_arguments(model, seed, learning_rate, epochs, batch_size), remove_unused_columns=False
    )


def shared_arguments(
    model: LanguageModel, seed: int, learning_rate: float, epochs: int, batch_size: int
) -> dict[str, Any]:
    """What every trainer is told, TRL's included."""
    return {
        # Nothing is written there.
        "output_dir": str(Path(tempfile.gettempdir()) / "planish-trainer"),
        "seed": seed,
        "data_seed": seed,
        "learning_rate": learning_rate,
        "num_train_epochs": epochs,
        "per_device_train_batch_size": batch_size,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "bf16": False,
        "use_cpu": model.device.type == "cpu",
        # The rows are on the model's device already.
        "dataloader_pin_memory": False,
    }


def train_quietly(trainer: Trainer) -> None:
    """Train, and leave standard output to the results.

    Raises:
        ModelError: memory ran out.
    """
    trainer.remove_callback(PrinterCallback)
    try:
        trainer.train()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        device = trainer.args.device
        figures = [("free", free_bytes(device)), ("peak", peak_bytes(device))]
        known = ", ".join(f"{name} {value / 2**30:.1f} GiB" for name, value in figures if value is not None)
        raise ModelError(
            f"memory ran out while training ({known or device})",
            "planish resume with --set ftpo.batch_size=4 or --set ftpo.rank=8, or start with a smaller --max-tokens",
        ) from error


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
