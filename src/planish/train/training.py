"""Running a trainer: from where it was, saving by the clock, and ending well where the loss or the memory does not."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accelerate.utils import broadcast_object_list
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import SchedulerType

from planish.errors import ModelError, PlanishError
from planish.records.training import TrainingCheck, TrainingStep
from planish.runs.interrupt import InterruptFlag
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


class EnoughError(PlanishError):
    """What a training goes on from has been found to be enough."""


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
        # Only then are they those of all passes and of all processes, which so end together. Their norm is a number if
        # all values are, and the device is waited for but once.
        if self.accelerator.sync_gradients and not get_total_norm(gradients).isfinite():
            raise NotFiniteError(f"the loss is not a number in step {self.state.global_step + 1}")
        return loss

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The same, but that a rate which rises does not start at 0: a first step that does nothing is a lost one."""
        if self.args.lr_scheduler_type != SchedulerType.LINEAR or self.lr_scheduler is not None:
            return super().create_scheduler(num_training_steps, optimizer)
        rising = self.args.get_warmup_steps(num_training_steps)
        falling = max(1, num_training_steps - rising)
        stepped: Any = optimizer or self.optimizer
        self.lr_scheduler = LambdaLR(
            stepped,
            lambda step: min((step + 1) / (rising + 1), max(0, num_training_steps - step) / falling),
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler


class Checkpoints(TrainerCallback):
    """Saves by the clock: how long a step takes differs by orders of magnitude. And stops, saved, at Ctrl+C."""

    def __init__(self, every_s: float) -> None:
        self.stopped: InterruptFlag | None = None
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
        if args.world_size == 1 and InterruptFlag.installed is not None and InterruptFlag.installed.is_set:
            self.stopped = InterruptFlag.installed
            control.should_save = control.should_training_stop = True


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
        Interrupted: Ctrl+C, in a run; it goes on from the step after which that came.
    """
    trainer.remove_callback(PrinterCallback)
    checkpoint = checkpoints = None
    if save_every_min is not None:
        checkpoints = Checkpoints(60 * save_every_min)
        trainer.add_callback(checkpoints)
        checkpoint = last_checkpoint(Path(str(trainer.args.output_dir)))
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except NotFiniteError as error:
        return f"{error.message}; the weights are those of the step before"
    except EnoughError as error:
        return error.message
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        device = trainer.args.device
        figures = [("free", free_bytes(device)), ("peak", peak_bytes(device))]
        known = ", ".join(f"{name} {value / 2**30:.1f} GiB" for name, value in figures if value is not None)
        raise ModelError(f"memory ran out while training ({known or device})", hint) from error
    if checkpoints is not None and checkpoints.stopped is not None:
        checkpoints.stopped.stop_if_set()
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
