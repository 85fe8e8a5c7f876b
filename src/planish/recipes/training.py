"""What a training leaves in a run: the adapter, how it came about, and, before its end, what it goes on from."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from planish.config import Settings
from planish.errors import DataError
from planish.recipes.trained_model import ADAPTER
from planish.records.record import Record
from planish.records.training import TrainingCheck, TrainingStep
from planish.train.training import Tuned

# What a training that was killed goes on from; gone once it is done.
CHECKPOINTS = "checkpoints"
FILE = "training.json"
# Settings that decide how much memory a training takes and how often it saves, and nothing of what comes of it.
WITHOUT_EFFECT = {"pass_tokens", "rows_at_once", "checkpoint_activations", "save_every_min"}


class Training(Record):
    """The loss curve, what held-out points said on the way, why it ended, and what was chosen automatically."""

    ended: str = ""
    choices: tuple[str, ...] = ()
    steps: tuple[TrainingStep, ...] = ()
    checks: tuple[TrainingCheck, ...] = ()


def write_training(folder: Path, tuned: Tuned) -> Training:
    """Keep a trained adapter."""
    training = Training(
        ended=tuned.ended, choices=tuple(tuned.choices), steps=tuple(tuned.steps), checks=tuple(tuned.checks)
    )
    tuned.adapted.save(folder / ADAPTER)
    (folder / FILE).write_text(training.model_dump_json() + "\n", encoding="utf-8")
    return training


def checkpoint_folder(run: Path, settings: Settings) -> Path:
    """Where a training of these settings saves what it goes on from: with others it begins anew."""
    told = settings.model_dump_json(exclude=WITHOUT_EFFECT)
    return run / CHECKPOINTS / hashlib.blake2b(told.encode(), digest_size=6).hexdigest()


def read_training(folder: Path) -> Training:
    """How an adapter came about.

    Raises:
        DataError: the file is not what was written.
    """
    try:
        return Training.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{folder / FILE} is not what was written", "delete the stage, and planish resume") from error
