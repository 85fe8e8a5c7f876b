"""Running a trainer: from where it was, saving by the clock, and ending well where the loss or the memory does not."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accelerate.utils import broadcast_object_list
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from planish.errors import ModelError, PlanishError
from planish.records.training import TrainingCheck, TrainingStep
from planish.steer.batch_size import free_bytes, is_out_of_memory, peak_bytes
from planish.train.adapter import Adapted


class Tuned(NamedTuple):
    """A trained adapter in its model, its loss curve, and why training ended.

    Besides, what was chosen automatically and why, and what held-out points said on the way.
    """

    adapted: Adapted
    steps: Sequence[TrainingStep]
    ended: str
    choices: Sequence[str] = ()
    checks: Sequence[TrainingCheck] = ()


class NotFiniteError(PlanishError):
    """The loss is not a number."""


class FiniteTrainer(Trainer):
    """A trainer that ends before it takes a step with a loss or a gradient that is not a number."""

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """A step forward and back.

        Raises:
            NotFiniteError: the loss or a gradient is not a number; no weight has been changed by it.
        """
        loss: Tensor = super().training_step(*args, **kwargs)
        network: Any = self.model
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        # Only then are they those of all passes and of all processes, which so end together.
        if self.accelerator.sync_gradients and not all(value.isfinite().all() for value in gradients):
            raise NotFiniteError(f"the loss is not a number in step {self.state.global_step + 1}")
        return loss


class Checkpoints(TrainerCallback):
    """Saves by the clock: how long a step takes differs by orders of magnitude."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for a checkpoint when it is time; all processes save together, so the first one's clock counts."""
        is_time = [time.monotonic() - self._last >= self._every_s]
        if args.world_size > 1:
            broadcast_object_list(is_time)
        if is_time[0]:
            self._last = time.monotonic()
            control.should_save = True


def run_trainer(trainer: Trainer, save_every_min: float | None = None, hint: str = "") -> str:
    """Train, from the last checkpoint in the trainer's folder if there is one, and return why training ended.

    Standard output is left to the results. Where the loss stops being a number, the weights are those of the step
    before.

    Args:
        trainer: what is run.
        save_every_min: how often it saves; None: never, nor does it look for what was saved.
        hint: what to do where memory runs out.

    Raises:
        ModelError: memory ran out.
    """
    trainer.remove_callback(PrinterCallback)
    checkpoint = None
    if save_every_min is not None:
        trainer.add_callback(Checkpoints(60 * save_every_min))
        checkpoint = last_checkpoint(Path(str(trainer.args.output_dir)))
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except NotFiniteError as error:
        return f"{error.message}; the weights are those of the step before"
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        device = trainer.args.device
        figures = [("free", free_bytes(device)), ("peak", peak_bytes(device))]
        known = ", ".join(f"{name} {value / 2**30:.1f} GiB" for name, value in figures if value is not None)
        raise ModelError(f"memory ran out while training ({known or device})", hint) from error
    return "all epochs done"


def last_checkpoint(folder: Path) -> str | None:
    """The last one that was written to its end: a kill may have come between."""
    numbered = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((str(path) for path in numbered if _is_complete(path)), None)


def _is_complete(checkpoint: Path) -> bool:
    try:
        # It is written last.
        return bool(json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def steps_of(trainer: Trainer) -> list[TrainingStep]:
    """The curve: what each step logged, those before a restart included."""
    return [
        TrainingStep(
            step=int(entry["step"]),
            loss=entry["loss"],
            gradient_norm=entry["grad_norm"],
            learning_rate=entry["learning_rate"],
        )
        for entry in trainer.state.log_history
        if "loss" in entry
    ]
