"""What a training reads before it begins: so a wrong path costs seconds and not hours."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.models.loading import best_device, load_model
from planish.recipes.train_data import TrainData, read_data
from planish.recipes.train_settings import TrainSettings
from planish.records.preference import CompletionPreference, TokenPreferences
from planish.train.ftpo import split_points
from planish.train.presets import with_preset


class Inputs(NamedTuple):
    """What is trained, on what, and which paths judge; `settings` with what was chosen for this model."""

    settings: TrainSettings
    model: LanguageModel
    data: TrainData
    used: Sequence[TokenPreferences]
    held_out: Sequence[TokenPreferences]
    notes: Sequence[str]

    @property
    def fingerprint(self) -> dict[str, str]:
        """Tells apart inputs that stand under the same names: a run goes on only with the same."""
        return {"model": self.model.model_hash, "data": self.data.digest}

    @property
    def points(self) -> list[TokenPreferences]:
        """The rows that are points; pairs of texts have none."""
        return [row for row in self.data.rows if isinstance(row, TokenPreferences)]

    @property
    def pairs(self) -> list[CompletionPreference]:
        """The rows that are pairs of texts."""
        return [row for row in self.data.rows if isinstance(row, CompletionPreference)]


def read_inputs(settings: TrainSettings) -> Inputs:
    """Load the model, read the rows, and choose what the settings leave open.

    Raises:
        DataError: the rows cannot be read, or balancing leaves none.
        ModelError: the model cannot be loaded.
        UsageError: the tuner does not learn from such rows.
    """
    if not Path(settings.data).is_file():
        raise DataError(f"there is no file {settings.data}", "give a file of rows, or a run")
    model = load_model(settings.model, _own_device(settings.device), settings.four_bit)
    data = read_data(Path(settings.data), model, settings.tuner)
    if settings.tuner != "ftpo":
        return Inputs(settings, model, data, (), (), [data.note])
    ftpo, preset = with_preset(settings.ftpo, model)
    points = [row for row in data.rows if isinstance(row, TokenPreferences)]
    used, held_out, _ = split_points(model, points, ftpo, settings.seed)
    settings = settings.model_copy(update={"ftpo": ftpo})
    return Inputs(settings, model, data, used, held_out, [data.note, preset])


def _own_device(device: str) -> str:
    """Of several processes on a machine each has a graphics card of its own."""
    device = best_device() if device == "auto" else device
    if device == "cuda" and (rank := os.environ.get("LOCAL_RANK")) is not None:
        return f"cuda:{rank}"
    return device
