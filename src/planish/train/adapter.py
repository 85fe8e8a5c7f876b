"""LoRA adapters by PEFT, and the arguments that every trainer here shares."""

import copy
import tempfile
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PrinterCallback, Trainer, TrainingArguments

from planish.models.language_model import LanguageModel


def with_adapter(model: LanguageModel, rank: int, seed: int = 0) -> tuple[LanguageModel, PeftModel]:
    """A copy of the model with a fresh adapter on every linear layer but the head; at first it changes nothing."""
    tuned = copy_of(model)
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapter = get_peft_model(tuned.model, config)
    return tuned, adapter


def merged(model: LanguageModel, adapter: PeftModel) -> LanguageModel:
    """The model with its adapter folded into the weights."""
    return LanguageModel(adapter.merge_and_unload(), model.tokenizer, model.name)


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
        "output_dir": tempfile.mkdtemp(prefix="planish-"),
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
    }


def train_quietly(trainer: Trainer) -> None:
    """Train, and leave standard output to the results."""
    trainer.remove_callback(PrinterCallback)
    trainer.train()
