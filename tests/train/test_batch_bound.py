"""Models whose angles depend on the longest row of a pass are read one path at a time."""

from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from transformers import LlamaConfig, TrainingArguments

from planish.models.language_model import LanguageModel
from planish.recipes.train_evidence import point_evidence
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings, with_adapter
from planish.train.arguments import training_arguments
from planish.train.ftpo import train_ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer
from planish.train.gaps import point_gaps
from tiny_models import SIZES, random_model

_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)

# Longer rows have other angles, for all of their tokens.
TURN = 16


@pytest.fixture(scope="module")
def turning() -> LanguageModel:
    angles = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "factor": 4.0,
        "original_max_position_embeddings": TURN,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0] * 4,
    }
    return random_model(LlamaConfig(**SIZES, max_position_embeddings=64, rope_parameters=angles), "turning")


def paths() -> list[TokenPreferences]:
    """Of twelve texts, every other one beyond the turn."""
    draws = torch.Generator().manual_seed(0)
    return [
        TokenPreferences(
            generation_id=f"g{number:02}",
            token_ids=tuple(torch.randint(3, 250, (length,), generator=draws).tolist()),
            prompt_length=1,
            points=tuple(
                Point(position=at, rejected=40 + at, chosen=(100, 101), chosen_probs=(), rule="r")
                for at in range(3, 12, 2)
            ),
        )
        for number in range(12)
        for length in [(TURN - 3 - number % 3, TURN + 4 + number)[number % 2]]
    ]


@torch.no_grad()
def alone(model: LanguageModel, path: TokenPreferences) -> torch.Tensor:
    """What is said of every token of a path."""
    logits: torch.Tensor = model.model(input_ids=torch.tensor([path.token_ids])).logits[0].double()
    return logits


def test_together_they_would_be_read_otherwise(turning: LanguageModel) -> None:
    short, long = paths()[:2]
    padded = torch.tensor([[*short.token_ids, *[0] * (len(long.token_ids) - len(short.token_ids))]])
    with torch.no_grad():
        together = turning.model(input_ids=padded).logits[0, : len(short.token_ids)]
    assert float((together - alone(turning, short)).abs().max()) > 0.1


def test_every_point_is_that_of_its_path_alone(turning: LanguageModel) -> None:
    owed = []
    for path in paths():
        logits = alone(turning, path)
        for point in path.points:
            said = logits[point.position - 1]
            owed.append(float(said[list(point.chosen)].mean() - said[point.rejected]))
    gaps = point_gaps(turning, turning, paths())
    assert [gap.before for gap in gaps] == pytest.approx(owed, abs=1e-4)
    mean_gap = next(line for line in point_evidence(turning, turning, paths()) if line.name == "mean_gap")
    assert mean_gap.before == pytest.approx(sum(owed) / len(owed), abs=1e-4)


def first_loss(model: LanguageModel, tether: float) -> float:
    """With all paths in few steps, so that they would share passes."""
    settings = FtpoSettings(
        epochs=1, tether=tether, tether_targets=tether, tether_each=tether, targets_slack=0, each_slack=0
    )
    return train_ftpo(model, paths(), settings).steps[0].loss


def test_at_step_0_the_policy_is_the_reference(turning: LanguageModel) -> None:
    assert first_loss(turning, tether=1e4) == pytest.approx(first_loss(turning, tether=0.0), abs=1e-3)


def test_in_any_number_of_steps_no_pass_has_two_paths(turning: LanguageModel) -> None:
    """More epochs than the arguments name are run where they name steps."""
    settings = FtpoSettings(step_points=15, epochs=1)
    adapted = with_adapter(turning, AdapterSettings(rank=4))
    arguments = training_arguments(adapted.model, settings, seed=0, rate=1e-4) | {"max_steps": 40}
    rows: list[int] = []

    class Watched(FTPOTrainer):
        def compute_loss(self, model: Any, inputs: Any, *given: Any, **more: Any) -> torch.Tensor:
            rows.append(len(inputs["input_ids"]))
            return super().compute_loss(model, inputs, *given, **more)

    Watched(adapted, TrainingArguments(**arguments), paths(), settings=settings).train()
    assert set(rows) == {1}
    assert len(rows) >= 40


def test_the_choices_say_so_with_the_reason(turning: LanguageModel, tiny: LanguageModel) -> None:
    settings = FtpoSettings(epochs=1)
    (line,) = [line for line in train_ftpo(turning, paths(), settings).choices if "one path a pass" in line]
    assert "longrope" in line
    assert not any("one path a pass" in line for line in train_ftpo(tiny, paths(), settings).choices)
