"""What holds for every tuner that learns from whole texts."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from layer_calls import layer_calls
from peft import PeftModel
from text_tuners import TUNERS, TextTuner
from torch import Tensor
from tuned_weights import same_weights, weights

from planish.models.language_model import LanguageModel
from planish.train.adapter import AdapterSettings, load_adapter
from planish.train.training import FiniteTrainer, Tuned

IDS = torch.arange(3, 60)[None]
CHANGES: list[dict[str, Any]] = [
    {"learning_rate": 5e-4},
    {"epochs": 3},
    {"warmup": 0.6},
    {"gradient_norm": 0.1},
    {"precision": "bfloat16"},
    {"batch_size": 2},
    {"adapter": AdapterSettings(rank=8)},
    {"adapter": AdapterSettings(rank=4, alpha=8)},
    {"adapter": AdapterSettings(rank=4, dropout=0.5)},
    {"adapter": AdapterSettings(rank=4, targets=("q_proj",))},
    {"adapter": AdapterSettings(rank=4, last_layers=1)},
]
# The rate that is chosen for so narrow a model is the one that SFT is told here.
DPO_CHANGES: list[dict[str, Any]] = [
    {"beta": 0.5},
    {"likelihood": 1.0},
    {"length_normalised": True},
    {"learning_rate": None},
]
CHANGES_OF = [
    *(("dpo", change) for change in [*DPO_CHANGES, *CHANGES]),
    *(("sft", change) for change in CHANGES),
]

_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)


@pytest.fixture(scope="module", params=TUNERS)
def tuner(request: pytest.FixtureRequest) -> TextTuner:
    return TUNERS[request.param]


@pytest.fixture(scope="module")
def plain(tuner: TextTuner, tiny: LanguageModel) -> Tuned:
    return tuner.train(tiny, tuner.rows, tuner.settings)


def same_curve(first: Tuned, second: Tuned) -> bool:
    curves = [[value for step in tuned.steps for value in step.model_dump().values()] for tuned in (first, second)]
    return curves[0] == pytest.approx(curves[1], abs=1e-6)


@pytest.mark.parametrize(("tuner", "other"), CHANGES_OF, ids=str, indirect=["tuner"])
def test_every_setting_changes_the_trained_weights(
    tuner: TextTuner, other: dict[str, Any], plain: Tuned, tiny: LanguageModel
) -> None:
    changed = tuner.train(tiny, tuner.rows, tuner.settings.model_copy(update=other))
    assert weights(changed).keys() != weights(plain).keys() or not same_weights(changed, plain)


@pytest.mark.parametrize("name", TUNERS)
def test_the_settings_of_which_that_is_not_said_are_three(name: str) -> None:
    """What they do is seen in the two tests after this one, and in those of the rows that are read together."""
    said = {key for tuner, change in CHANGES_OF if tuner == name for key in change}
    assert set(type(TUNERS[name].settings).model_fields) == {
        *said,
        "pass_tokens",
        "checkpoint_activations",
        "save_every_min",
    }


def test_activations_are_worked_out_again_for_the_same_weights(
    tuner: TextTuner, plain: Tuned, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = layer_calls(monkeypatch)
    tuner.train(tiny, tuner.rows, tuner.settings)
    without = sum(calls)
    calls.clear()
    again = tuner.train(tiny, tuner.rows, tuner.settings.model_copy(update={"checkpoint_activations": True}))
    assert sum(calls) == 2 * without
    assert same_weights(again, plain, tolerance=1e-6)


def test_it_saves_as_often_as_it_is_told(tuner: TextTuner, plain: Tuned, tiny: LanguageModel, tmp_path: Path) -> None:
    for name, minutes, saved in (("often", 1e-9, ["checkpoint-4"]), ("never", 60.0, [])):
        settings = tuner.settings.model_copy(update={"save_every_min": minutes})
        tuned = tuner.train(tiny, tuner.rows, settings, folder=tmp_path / name)
        assert [path.name for path in (tmp_path / name).glob("*")] == saved
        assert same_weights(tuned, plain)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(
    tuner: TextTuner, plain: Tuned, tiny: LanguageModel
) -> None:
    again, other = (tuner.train(tiny, tuner.rows, tuner.settings, seed=seed) for seed in (0, 1))
    assert same_weights(again, plain)
    assert again.steps == plain.steps
    assert not same_weights(other, plain)


def test_killed_and_begun_again_it_ends_as_if_nothing_had_been(
    tuner: TextTuner, tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = AdapterSettings(rank=4, dropout=0.2)
    settings = tuner.settings.model_copy(update={"epochs": 3, "adapter": dropped, "save_every_min": 1e-9})
    whole = tuner.train(tiny, tuner.rows, settings)
    steps: list[int] = []
    step_of = FiniteTrainer.training_step

    def killed(trainer: FiniteTrainer, *given: Any, **more: Any) -> Tensor:
        steps.append(trainer.state.global_step)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return step_of(trainer, *given, **more)

    monkeypatch.setattr(FiniteTrainer, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        tuner.train(tiny, tuner.rows, settings, folder=tmp_path)
    resumed = tuner.train(tiny, tuner.rows, settings, folder=tmp_path)
    assert steps == [0, 1, 2, 3, 3, 4, 5]
    assert same_weights(resumed, whole, tolerance=1e-6)
    assert same_curve(resumed, whole)


def test_a_loss_that_is_no_number_ends_training_with_the_weights_before_it(
    tuner: TextTuner, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[dict[str, Tensor]] = []
    loss_of = tuner.trainer.compute_loss

    def failing(trainer: Any, model: PeftModel, *given: Any, **more: Any) -> Tensor:
        before.append({name: weight.detach().clone() for name, weight in model.named_parameters() if "lora" in name})
        loss: Tensor = loss_of(trainer, model, *given, **more)
        return loss * (torch.nan if len(before) == 3 else 1)

    monkeypatch.setattr(tuner.trainer, "compute_loss", failing)
    broken = tuner.train(tiny, tuner.rows, tuner.settings.model_copy(update={"epochs": 4}))
    assert len(before) == 3
    assert "step 3" in broken.ended
    assert len(broken.steps) == 2
    for name, weight in weights(broken).items():
        assert torch.equal(weight, before[-1][name])
        assert weight.isfinite().all()


@pytest.mark.parametrize("other", [{}, {"precision": "bfloat16"}, {"checkpoint_activations": True}], ids=str)
def test_the_trainer_leaves_nothing_in_the_model_but_weights(
    tuner: TextTuner, other: dict[str, Any], tiny: LanguageModel, tmp_path: Path
) -> None:
    given = LanguageModel(copy.deepcopy(tiny.model), copy.deepcopy(tiny.tokenizer), "ends otherwise")
    # What the tokenizer says of ends and padding is not what the model's configuration says.
    given.model.generation_config.eos_token_id = [5, 6]
    given.tokenizer.pad_token = None
    tuned = tuner.train(given, tuner.rows, tuner.settings.model_copy(update=other)).adapted
    tuned.save(tmp_path)
    loaded = load_adapter(given, tmp_path)
    with torch.no_grad():
        for ours, fresh in ((tuned.model.model, loaded.model.model), (tuned.adapter, loaded.adapter)):
            assert torch.equal(ours(input_ids=IDS).logits, fresh(input_ids=IDS).logits)
            assert vars(ours).keys() == vars(fresh).keys()
    embedded = tuned.model.model.get_input_embeddings()(IDS)
    assert embedded.requires_grad == loaded.model.model.get_input_embeddings()(IDS).requires_grad
    assert not tuned.model.model.is_activation_checkpointing
    assert not any(module.training for module in tuned.adapter.modules())
    assert list(tuned.adapter.peft_config) == ["default"]
    assert tuned.model.end_ids == {5, 6}
    assert tuned.model.tokenizer.pad_token is None
    assert tuned.model.model.config.to_dict() == given.model.config.to_dict()


def test_what_was_chosen_automatically_is_said(tuner: TextTuner, plain: Tuned, tiny: LanguageModel) -> None:
    targets = AdapterSettings(rank=4, targets=("q_proj", "lm_head"))
    settings = type(tuner.settings)(adapter=targets, epochs=1, batch_size=1)
    tuned = tuner.train(tiny, tuner.rows, settings)
    highest = max(step.learning_rate for step in tuned.steps)
    assert any(line.startswith(f"learning rate {highest:.2g}: ") for line in tuned.choices)
    assert any("lm_head" in line and "TRL" in line for line in tuned.choices)
    assert all("q_proj" in name for name in weights(tuned))
    assert not any(word in line for line in plain.choices for word in ("lm_head", "learning rate"))
    assert any("float32" in line for line in plain.choices)
