import copy
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, Trainer, TrainingArguments
from tuned_weights import flat_weights

from planish.errors import DataError, ModelError
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.records.preference import Point, TokenPreferences
from planish.train import training
from planish.train.adapter import AdapterSettings, adapted_layers, with_adapter
from planish.train.arguments import training_arguments
from planish.train.ftpo import hold_out, train_ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer
from planish.train.path_rows import collated
from planish.train.training import FiniteTrainer, Tuned, run_trainer, steps_of
from tiny_models import gpt2, in_bfloat16, random_model

SETTINGS = FtpoSettings(
    epochs=3, step_points=12, enough=1.0, learning_rate=1e-4, save_every_min=1e-9, adapter=AdapterSettings(rank=4)
)


_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)


def a_path(name: str, length: int, *positions: int, prompt_length: int = 1) -> TokenPreferences:
    draws = torch.Generator().manual_seed(length)
    return TokenPreferences(
        generation_id=name,
        token_ids=tuple(torch.randint(3, 250, (length,), generator=draws).tolist()),
        prompt_length=prompt_length,
        points=tuple(
            Point(position=at, rejected=40 + at, chosen=(100, 101, 102)[: 1 + at % 3], chosen_probs=(), rule="r")
            for at in positions
        ),
    )


def many_paths() -> list[TokenPreferences]:
    """Of 20 texts, two of which are held out."""
    return [a_path(f"g{number:02}", 6 + 3 * (number % 8), 2, 5, 5) for number in range(20)]


def losses_of(tuned: Tuned) -> list[float]:
    return [step.loss for step in tuned.steps]


def trainer_of(model: LanguageModel, paths: list[TokenPreferences], settings: FtpoSettings = SETTINGS) -> FTPOTrainer:
    adapted = with_adapter(model, settings.adapter)
    arguments = TrainingArguments(**training_arguments(adapted.model, settings, seed=0, rate=1e-3))
    return FTPOTrainer(adapted, arguments, paths, paths, settings)


def dropping() -> LanguageModel:
    return random_model(gpt2(), "gpt2")


# At step 0 the policy is the reference.


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["tiny", "gpt2"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16])
def test_an_untouched_adapter_has_not_drifted(
    weights: torch.dtype, dropout: float, kind: str, precision: str, tiny: LanguageModel
) -> None:
    model = tiny if kind == "tiny" else dropping()
    model = in_bfloat16(model) if weights == torch.bfloat16 else model
    adapter = AdapterSettings(rank=4, dropout=dropout)
    trainer = trainer_of(model, many_paths(), FtpoSettings.from_user({"precision": precision, "adapter": adapter}))
    assert trainer.evaluate()["eval_drift"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16])
def test_points_cost_the_same_before_training_however_they_are_packed(
    weights: torch.dtype, precision: str, tiny: LanguageModel
) -> None:
    """The reference was read in passes of other shapes: what rounding makes of that is no drift to be charged."""
    model = in_bfloat16(tiny) if weights == torch.bfloat16 else tiny
    drifts = []
    settings = FtpoSettings.from_user({"precision": precision})
    trainer = trainer_of(model, many_paths(), settings)
    for at in ([0], [3, 9], list(range(20))):
        inputs: Any = collated([trainer.train_dataset[index] for index in at])  # type: ignore[index]
        with trainer.compute_loss_context_manager(), torch.no_grad():
            policy, reference = trainer._logits(trainer.adapted.adapter, inputs)
        drifts.append(float((policy - reference).square().mean().sqrt() / reference.std()))
    assert max(drifts) < (1e-5 if precision == "float32" and weights == torch.float32 else 2**-6)


def test_dropout_of_the_model_itself_is_not_drift() -> None:
    """GPT-2 drops a tenth of everything in training; the reference does not, and the tethers are slack at first."""
    losses = [
        train_ftpo(
            dropping(),
            [a_path("g", 30, 8, 20)],
            SETTINGS.model_copy(update={"epochs": 1, "tether": weight, "tether_each": weight, "each_slack": 0.0}),
        )
        .steps[0]
        .loss
        for weight in (0.0, 1e3)
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-3)


def test_dropout_of_the_adapter_is_in_training_alone_and_drawn_by_the_seed(tiny: LanguageModel) -> None:
    dropped = SETTINGS.model_copy(update={"adapter": AdapterSettings(rank=4, dropout=0.5), "learning_rate": 5e-4})
    first, again, other, plain = (
        train_ftpo(tiny, many_paths(), settings, seed)
        for settings, seed in ((dropped, 0), (dropped, 0), (dropped, 1), (SETTINGS, 0))
    )
    assert torch.equal(flat_weights(first), flat_weights(again))
    assert not torch.equal(flat_weights(first), flat_weights(other))
    assert not torch.equal(flat_weights(first), flat_weights(plain))
    trainer = trainer_of(tiny, many_paths(), dropped)
    moved(trainer.adapted.adapter)
    trainer.adapted.adapter.train()
    assert trainer.evaluate() == trainer.evaluate()
    assert trainer.adapted.adapter.training, "training goes on after a look"


def moved(adapter: PeftModel) -> None:
    draws = torch.Generator().manual_seed(1)
    for name, weight in adapter.named_parameters():
        if "lora_B" in name:
            weight.data = 0.3 * torch.randn(weight.shape, generator=draws)


# Few points, and points that cannot be.


@pytest.mark.parametrize(
    "paths",
    [
        [a_path("g", 10, 5)],
        [a_path("g", 1, 1)],
        [a_path("g", 6 + at, 3) for at in range(12)],
        [a_path(f"g{at:02}", 1, 1) for at in range(10)],
        [a_path(f"g{at:02}", 3, 1, 2, 3) for at in range(10)],
    ],
    ids=["one path", "one token", "one text", "held out without a place to watch", "points at every place"],
)
def test_few_paths_are_trained_on(paths: list[TokenPreferences], tiny: LanguageModel) -> None:
    tuned = train_ftpo(tiny, paths, SETTINGS)
    assert tuned.steps
    assert all(math.isfinite(loss) for loss in losses_of(tuned))
    assert bool(tuned.checks) == bool(hold_out(paths)[1])
    assert all(math.isfinite(check.drift) and 0 <= check.win_rate <= 1 for check in tuned.checks)


def test_without_held_out_paths_there_is_nothing_to_look_at(tiny: LanguageModel) -> None:
    adapted = with_adapter(tiny, SETTINGS.adapter)
    arguments = TrainingArguments(**training_arguments(adapted.model, SETTINGS, seed=0, rate=1e-3))
    trainer = FTPOTrainer(adapted, arguments, many_paths(), settings=SETTINGS)
    assert set(trainer.evaluate()) >= {"eval_win_rate", "eval_drift"}


def test_no_paths_are_refused(tiny: LanguageModel) -> None:
    with pytest.raises(DataError):
        trainer_of(tiny, [])


@pytest.mark.parametrize("position", [0, 11])
def test_a_point_outside_its_path_is_refused(position: int, tiny: LanguageModel) -> None:
    with pytest.raises(DataError, match=str(position)):
        train_ftpo(tiny, [a_path("g", 10, position), a_path("h", 30, 5)], SETTINGS)


def test_a_token_that_the_model_does_not_have_is_refused(tiny: LanguageModel) -> None:
    path = a_path("g", 10, 5)
    point = path.points[0].model_copy(update={"rejected": 4005})
    with pytest.raises(DataError, match="4005"):
        train_ftpo(tiny, [path.model_copy(update={"points": (point,)})], SETTINGS)


@pytest.mark.parametrize("make", [dropping, tiny_llama])
def test_a_path_beyond_what_the_model_can_read_is_refused(make: Any) -> None:
    """A model with learned positions has none there; one with rotary ones would say what it never learned to."""
    with pytest.raises((DataError, ModelError), match="600"):
        train_ftpo(make(), [a_path("g", 600, 5)], SETTINGS)


@pytest.mark.parametrize("epochs", [0.5, 1.5, 3.0])
def test_anyone_may_train_a_part_of_an_epoch(epochs: float, tiny: LanguageModel) -> None:
    adapted = with_adapter(tiny, SETTINGS.adapter)
    arguments = training_arguments(adapted.model, SETTINGS, seed=0, rate=1e-3) | {"num_train_epochs": epochs}
    trainer = FTPOTrainer(adapted, TrainingArguments(**arguments), many_paths(), settings=SETTINGS)
    trainer.train()
    assert len(steps_of(trainer)) == math.ceil(epochs * round(60 / SETTINGS.step_points))


def test_anyone_may_train_so_many_steps(tiny: LanguageModel) -> None:
    adapted = with_adapter(tiny, SETTINGS.adapter)
    arguments = training_arguments(adapted.model, SETTINGS, seed=0, rate=1e-3) | {"max_steps": 17}
    trainer = FTPOTrainer(adapted, TrainingArguments(**arguments), many_paths(), settings=SETTINGS)
    trainer.train()
    assert len(steps_of(trainer)) == 17


# What is no number.


class Fragile(nn.Module):
    """A loss that is a number though its gradient is not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([4.0]))

    def forward(self, number: Tensor) -> dict[str, Tensor]:
        return {"loss": (self.weight * number).abs().sqrt().sum()}


@pytest.mark.parametrize("wrong", [0.0, torch.nan, torch.inf, -torch.inf])
def test_no_step_is_taken_with_what_is_no_number(wrong: float, tmp_path: Path) -> None:
    """The root of 0 is 0, and its slope is infinite."""
    rows: Any = [{"number": torch.tensor([value])} for value in (1.0, wrong)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=1,
        num_train_epochs=3,
        learning_rate=0.1,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
    )
    model: Any = Fragile()
    trainer = FiniteTrainer(model=model, args=arguments, train_dataset=rows)
    ended = run_trainer(trainer)
    assert "not a number" in ended
    assert f"step {trainer.state.global_step + 1}" in ended
    assert model.weight.isfinite().all()
    assert trainer.state.global_step < 2


# Checkpoints.


class Killed(Exception):  # noqa: N818 - it stands for a kill
    pass


def killed_after(step: int, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
    """Train until so many steps are taken."""
    plain = FTPOTrainer.training_step

    def training_step(trainer: FTPOTrainer, *args: Any, **more: Any) -> Tensor:
        if trainer.state.global_step == step:
            raise Killed
        return plain(trainer, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(FTPOTrainer, "training_step", training_step)
        with pytest.raises(Killed):
            train_ftpo(**given)


def checkpoints_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("checkpoint-*"))


@pytest.mark.parametrize("elapsed_s", [59.0, 61.0])
def test_it_saves_by_the_clock(
    elapsed_s: float, tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every look at the clock so much has gone by; where that is too little for a minute, two steps make it."""
    now = [0.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            now[0] += elapsed_s
            return now[0]

    saved: list[int] = []
    plain = Trainer._save_checkpoint

    def save(trainer: Trainer, *given: Any) -> None:
        saved.append(trainer.state.global_step)
        plain(trainer, *given)

    monkeypatch.setattr(training, "time", Clock)
    monkeypatch.setattr(Trainer, "_save_checkpoint", save)
    settings = SETTINGS.model_copy(update={"save_every_min": 1.0, "epochs": 2})
    steps = len(train_ftpo(tiny, many_paths(), settings, folder=tmp_path).steps)
    assert steps >= 6
    # What a save takes is no part of the time until the next one, so how often the clock is looked at may vary.
    assert saved[0] == (1 if elapsed_s > 60 else 2)
    assert len(saved) >= steps // 2
    assert len(checkpoints_in(tmp_path)) == 1, "older ones are no longer needed"


def spoil(folder: Path, how: str) -> None:
    """Leave a checkpoint as a kill would while it is written."""
    if how == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
    elif how == "weights alone":
        for path in folder.iterdir():
            if not path.name.startswith("adapter"):
                path.unlink()
    elif how == "half of its state":
        state = folder / "trainer_state.json"
        state.write_text(state.read_text()[:100])
    elif how == "empty state":
        (folder / "trainer_state.json").write_text("")


@pytest.mark.parametrize("how", ["empty", "weights alone", "half of its state", "empty state"])
@pytest.mark.parametrize("others", [0, 1])
def test_a_checkpoint_that_was_not_finished_is_passed_over(
    others: int, how: str, tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"model": tiny, "preferences": many_paths(), "settings": SETTINGS, "folder": tmp_path}
    whole = train_ftpo(tiny, many_paths(), SETTINGS)
    killed_after(4, monkeypatch, **given)
    (complete,) = tmp_path.glob("checkpoint-*")
    torn = tmp_path / "checkpoint-5"
    shutil.copytree(complete, torn)
    spoil(torn, how)
    if not others:
        shutil.rmtree(complete)
    resumed = train_ftpo(**given)  # type: ignore[arg-type]
    assert losses_of(resumed) == pytest.approx(losses_of(whole), abs=1e-6)
    torch.testing.assert_close(flat_weights(resumed), flat_weights(whole), rtol=0, atol=1e-7)


def test_what_is_saved_last_says_that_all_is_saved(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after(2, monkeypatch, model=tiny, preferences=many_paths(), settings=SETTINGS, folder=tmp_path)
    (complete,) = tmp_path.glob("checkpoint-*")
    written = {path.name: path.stat().st_mtime_ns for path in complete.iterdir()}
    assert max(written, key=written.__getitem__) == "trainer_state.json"
    assert json.loads((complete / "trainer_state.json").read_text())["global_step"] == 2


def test_what_is_done_already_is_not_done_again(tiny: LanguageModel, tmp_path: Path) -> None:
    first = train_ftpo(tiny, many_paths(), SETTINGS, folder=tmp_path)
    again = train_ftpo(tiny, many_paths(), SETTINGS, folder=tmp_path)
    assert losses_of(again) == losses_of(first)
    assert torch.equal(flat_weights(again), flat_weights(first))


# Layers that are left alone.


@pytest.mark.parametrize("head", [True, False])
def test_layers_below_the_last_are_left_alone(head: bool, tiny: LanguageModel) -> None:
    targets = () if head else ("q_proj", "down_proj")
    adapter = AdapterSettings(rank=4, last_layers=1, targets=targets)
    trainer = trainer_of(tiny, many_paths(), SETTINGS.model_copy(update={"adapter": adapter}))
    rows: Any = trainer.train_dataset
    trainer.compute_loss(trainer.adapted.adapter, collated([rows[at] for at in range(3)])).backward()
    named = dict(trainer.adapted.adapter.named_parameters())
    assert not [name for name in named if "lora" in name and "layers.0." in name]
    assert [name for name in named if "lora" in name and "layers.1." in name]
    assert bool([name for name in named if "lora" in name and "lm_head" in name]) == head
    for name, weight in named.items():
        assert weight.requires_grad == ("lora" in name)
        assert (weight.grad is not None) == ("lora" in name)


class _Sees(nn.Module):
    """Layers to see with, more than there are to write with."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleDict({"q_proj": nn.Linear(8, 8)}) for _ in range(9))


def test_layers_that_see_get_no_adapter(tiny: LanguageModel) -> None:
    model = LanguageModel(copy.deepcopy(tiny.model), tiny.tokenizer, "sees")
    model.model.add_module("vision", _Sees())
    names = adapted_layers(model, AdapterSettings(last_layers=1))
    assert set(names) == set(adapted_layers(tiny, AdapterSettings(last_layers=1)))
    adapted = with_adapter(model, AdapterSettings(rank=4))
    assert not [name for name, _ in adapted.adapter.named_parameters() if "vision" in name and "lora" in name]


def test_experts_are_no_decoder_layers(tiny: LanguageModel) -> None:
    """A layer may hold a longer list than the model does."""
    model = LanguageModel(copy.deepcopy(tiny.model), tiny.tokenizer, "experts")
    layers: Any = model.decoder.get_submodule("layers")
    for layer in layers:
        layer.mlp.experts = nn.ModuleList(nn.ModuleDict({"up_proj": nn.Linear(8, 8)}) for _ in range(9))
    names = adapted_layers(model, AdapterSettings())
    assert {f"model.layers.{number}.self_attn.q_proj" for number in (0, 1)} <= set(names)
    last = adapted_layers(model, AdapterSettings(last_layers=1))
    assert {name.split(".")[2] for name in last if name != "lm_head"} == {"1"}


def test_a_model_is_left_as_it_was(tiny: LanguageModel) -> None:
    network: PreTrainedModel = tiny.model
    before = copy.deepcopy(network.state_dict())
    train_ftpo(tiny, many_paths(), SETTINGS)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    assert not network.training


def test_no_step_is_lost_to_a_rate_of_0(tiny: LanguageModel) -> None:
    for epochs in (1, 2, 5):
        tuned = train_ftpo(tiny, many_paths(), SETTINGS.model_copy(update={"epochs": epochs, "warmup": 0.4}))
        rates = [step.learning_rate for step in tuned.steps]
        top = rates.index(max(rates))
        assert max(rates) <= 1e-4
        assert min(rates) > 0
        assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
