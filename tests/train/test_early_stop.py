"""A training that has ended early has ended, whenever it is gone on with."""

from pathlib import Path
from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from torch import Tensor
from tuned_weights import flat_weights

from planish.models.language_model import LanguageModel
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings
from planish.train.ftpo import train_ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer

_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)

# It saves after every step.
SETTINGS: dict[str, Any] = {
    "epochs": 6,
    "step_points": 30,
    "learning_rate": 5e-3,
    "checks_an_epoch": 1,
    "save_every_min": 1e-9,
    "adapter": AdapterSettings(rank=4),
}
ENDS = {"won": {"enough": 0.6}, "drifted": {"enough": 1.0, "most_drift": 1e-3}}


def many_paths() -> list[TokenPreferences]:
    draws = torch.Generator().manual_seed(0)
    return [
        TokenPreferences(
            generation_id=f"g{number:02}",
            token_ids=tuple(torch.randint(3, 250, (12,), generator=draws).tolist()),
            prompt_length=1,
            points=tuple(
                Point(position=at, rejected=40 + at, chosen=(100, 101), chosen_probs=(), rule="r") for at in (3, 6, 9)
            ),
        )
        for number in range(20)
    ]


def steps_taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on, the steps that a trainer takes."""
    steps: list[int] = []
    plain = FTPOTrainer.training_step

    def noted(trainer: FTPOTrainer, *given: Any, **more: Any) -> Tensor:
        steps.append(trainer.state.global_step)
        return plain(trainer, *given, **more)

    monkeypatch.setattr(FTPOTrainer, "training_step", noted)
    return steps


@pytest.mark.parametrize("why", ENDS)
def test_from_the_checkpoint_at_which_it_ended_no_step_is_taken(
    why: str, tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = FtpoSettings.from_user(SETTINGS | ENDS[why])
    ended = train_ftpo(tiny, many_paths(), settings, folder=tmp_path)
    last = len(ended.steps)
    assert why in ended.ended
    assert f"after step {last}" in ended.ended
    assert last < len(train_ftpo(tiny, many_paths(), FtpoSettings.from_user(SETTINGS | {"enough": 1.0})).steps)
    assert (tmp_path / f"checkpoint-{last}").is_dir()
    steps = steps_taken(monkeypatch)
    resumed = train_ftpo(tiny, many_paths(), settings, folder=tmp_path)
    assert steps == []
    assert resumed.ended == ended.ended
    assert resumed.checks == ended.checks
    assert [step.loss for step in resumed.steps] == [step.loss for step in ended.steps]
    assert torch.equal(flat_weights(resumed), flat_weights(ended))


def test_where_more_is_asked_for_it_goes_on(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = train_ftpo(tiny, many_paths(), FtpoSettings.from_user(SETTINGS | ENDS["won"]), folder=tmp_path)
    more = FtpoSettings.from_user(SETTINGS | {"enough": 1.0})
    whole = train_ftpo(tiny, many_paths(), more)
    steps = steps_taken(monkeypatch)
    resumed = train_ftpo(tiny, many_paths(), more, folder=tmp_path)
    assert steps[0] == len(ended.steps)
    assert resumed.ended == whole.ended
    assert [step.loss for step in resumed.steps] == pytest.approx([step.loss for step in whole.steps], abs=1e-6)
