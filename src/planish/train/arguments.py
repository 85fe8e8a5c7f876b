"""What every trainer here is told, whichever loss it has."""

import tempfile
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from planish.config import Settings
from planish.models.language_model import LanguageModel


class ScheduleSettings(Settings):
    """How weights are trained, whatever the loss."""

    learning_rate: float | None = Field(default=None, gt=0)
    """The highest; by default by a rule, which is printed with its reason."""
    epochs: int = Field(default=4, ge=1)
    """Passes over the rows, at most."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """The share of the steps in which the rate rises; then it falls to 0 in a straight line."""
    gradient_norm: float = Field(default=1.0, gt=0)
    """Longer gradients are cut to this length."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What the model computes in; auto is bfloat16 on graphics cards that have it. The loss is in float32 anyway."""
    checkpoint_activations: bool = False
    """Work out activations again in the backward pass: far less memory, a third more time."""
    save_every_min: float = Field(default=10.0, gt=0)
    """A training that is killed goes on from where it was at most so many minutes before."""


def training_arguments(
    model: LanguageModel, settings: ScheduleSettings, seed: int, rate: float, folder: Path | None = None
) -> dict[str, Any]:
    """The arguments of a `TrainingArguments` or of what TRL makes of it.

    Args:
        model: that is trained.
        settings: the schedule.
        seed: of the order of the rows, and of dropout.
        rate: the highest learning rate.
        folder: where checkpoints go.
    """
    return {
        # Without a folder nothing is written there.
        "output_dir": str(folder or Path(tempfile.gettempdir()) / "planish-trainer"),
        "seed": seed,
        "data_seed": seed,
        "learning_rate": rate,
        "num_train_epochs": settings.epochs,
        "lr_scheduler_type": "linear",
        "warmup_steps": settings.warmup,
        "max_grad_norm": settings.gradient_norm,
        "bf16": in_bfloat16(settings, model.device),
        "activation_checkpointing": settings.checkpoint_activations,
        "activation_checkpointing_kwargs": {"use_reentrant": False},
        # When to save is up to `Checkpoints`.
        "save_strategy": "no",
        "save_total_limit": 1,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": model.device.type == "cpu",
        "dataloader_pin_memory": False,
        "ddp_find_unused_parameters": False,
    }


def in_bfloat16(settings: ScheduleSettings, device: torch.device) -> bool:
    """Whether the model computes in bfloat16."""
    if settings.precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return settings.precision == "bfloat16"
