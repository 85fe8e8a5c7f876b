from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from frozen_libraries import frozen_libraries
from layer_calls import layer_calls
from peft import PeftModel
from torch import Tensor
from transformers import TrainerCallback, TrainingArguments
from tuned_weights import flat_weights

from planish.models.language_model import LanguageModel
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings, with_adapter
from planish.train.arguments import training_arguments
from planish.train.ftpo import hold_out, train_ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer
from planish.train.path_rows import collated
from tiny_models import gemma2, random_model

# Every slack is passed and every margin missed by some point, so that every term has a gradient.
SETTINGS = FtpoSettings(targets_slack=0.1, each_slack=0.1)
OTHER_VALUES: dict[str, Any] = {
    "margin": 3.0,
    "tether": 0.8,
    "tether_targets": 0.5,
    "targets_slack": 0.2,
    "tether_each": 0.5,
    "each_slack": 0.2,
    "charge_shift": True,
    "learning_rate": 5e-4,
    "rate_factor": 0.5,
    "epochs": 3,
    "warmup": 0.5,
    "gradient_norm": 0.1,
    "precision": "bfloat16",
    "step_points": 2,
    "enough": 0.01,
    "most_drift": 1e-9,
    "checks_an_epoch": 1,
    "adapter": {"rank": 4},
    "balance": {"most_points": 2},
}
# What these change is not what is learned; each has a test of its own.
NOT_IN_WEIGHTS = {"pass_tokens", "checkpoint_activations", "save_every_min"}


_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)


@pytest.fixture(scope="session")
def softcapped() -> LanguageModel:
    """A random Gemma 2: softcaps on attention and on logits, and a window that the paths outgrow."""
    model = random_model(gemma2(), "softcapped")
    model.model.set_attn_implementation("eager")
    return model


def some_paths() -> list[TokenPreferences]:
    """Of different lengths; two points share a position, one is at the very end, and they choose 1 to 3 tokens."""
    draws = torch.Generator().manual_seed(0)

    def path(name: str, length: int, points: list[tuple[int, int, tuple[int, ...]]]) -> TokenPreferences:
        ids = torch.randint(3, 250, (length,), generator=draws).tolist()
        return TokenPreferences(
            generation_id=name,
            token_ids=tuple(ids),
            prompt_length=3,
            points=tuple(
                Point(position=at, rejected=rejected, chosen=chosen, chosen_probs=(), rule="lily")
                for at, rejected, chosen in points
            ),
        )

    return [
        path("long", 17, [(3, 40, (41,)), (9, 50, (51, 52)), (9, 60, (51, 52))]),
        path("short", 6, [(5, 70, (71, 72, 73))]),
    ]


def trainer_of(
    model: LanguageModel, paths: list[TokenPreferences], settings: FtpoSettings = SETTINGS, moved: float = 0.3
) -> tuple[FTPOTrainer, PeftModel]:
    """A trainer whose adapter, at first without effect, has `moved` by so much."""
    adapted = with_adapter(model, AdapterSettings(rank=4))
    draws = torch.Generator().manual_seed(1)
    for name, parameter in adapted.adapter.named_parameters():
        if "lora_B" in name:
            parameter.data = moved * torch.randn(parameter.shape, generator=draws)
    arguments = TrainingArguments(**training_arguments(adapted.model, settings, seed=0, rate=1e-3))
    return FTPOTrainer(adapted, arguments, paths, settings=settings), adapted.adapter


def batch_loss(trainer: FTPOTrainer, adapter: PeftModel) -> Tensor:
    rows: Any = trainer.train_dataset
    return trainer.compute_loss(adapter, collated([rows[at] for at in range(len(rows))]))


def plain_loss(policy: Callable[[tuple[int, ...]], Tensor], reference: Callable[[tuple[int, ...]], Tensor]) -> Tensor:
    """The loss as its docstrings have it, point by point and token by token, each context read alone."""
    losses = []
    for path in some_paths():
        for point in path.points:
            context = path.token_ids[: point.position]
            logits, drift = policy(context), policy(context) - reference(context).detach()
            drift = drift - drift.mean()
            loss = torch.zeros(())
            for token in point.chosen:
                margin = logits[token] - logits[point.rejected]
                weight = min(max((SETTINGS.margin - float(margin.detach())) / SETTINGS.margin, 0.0), 1.0)
                loss = loss + weight * (1 + (SETTINGS.margin - margin).exp()).log() / len(point.chosen)
            targets = [*point.chosen, point.rejected]
            others = [token for token in range(len(drift)) if token not in targets]
            loss = loss + SETTINGS.tether * sum(drift[token] ** 2 for token in others) / len(others)
            mean = sum((drift[token] for token in targets), torch.zeros(())) / len(targets)
            if abs(float(mean.detach())) > SETTINGS.targets_slack:
                loss = loss + SETTINGS.tether_targets * (mean.abs() - SETTINGS.targets_slack) ** 2
            for token in targets:
                if abs(float(drift[token].detach())) > SETTINGS.each_slack:
                    beyond = drift[token].abs() - SETTINGS.each_slack
                    loss = loss + SETTINGS.tether_each * beyond**2 / len(targets)
            losses.append(loss)
    return sum(losses, torch.zeros(())) / len(losses)


@pytest.mark.parametrize("name", ["tiny", "softcapped"])
def test_the_packed_loss_and_its_gradients_are_those_of_one_row_a_point(
    name: str, request: pytest.FixtureRequest
) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    trainer, adapter = trainer_of(model, some_paths())
    weights = [parameter for parameter in adapter.parameters() if parameter.requires_grad]
    packed = batch_loss(trainer, adapter)
    packed_gradients = torch.autograd.grad(packed, weights)
    plain = plain_loss(
        lambda context: adapter(input_ids=torch.tensor([context])).logits[0, -1],
        lambda context: model.model(input_ids=torch.tensor([context])).logits[0, -1],
    )
    plain_gradients = torch.autograd.grad(plain, weights)
    assert float(packed.detach()) == pytest.approx(float(plain.detach()), rel=1e-4)
    for packed_gradient, plain_gradient in zip(packed_gradients, plain_gradients, strict=True):
        assert plain_gradient.any()
        torch.testing.assert_close(
            packed_gradient, plain_gradient, rtol=1e-4, atol=1e-4 * float(plain_gradient.abs().max())
        )


@pytest.mark.parametrize("name", ["tiny", "softcapped"])
def test_at_step_0_the_tethers_are_slack(name: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    loose, taut = (
        FtpoSettings(tether=weight, tether_targets=weight, tether_each=weight, targets_slack=0, each_slack=0)
        for weight in (0, 1e6)
    )
    untethered, tethered = (
        float(batch_loss(*trainer_of(model, some_paths(), settings, moved=0)).detach()) for settings in (loose, taut)
    )
    assert tethered == pytest.approx(untethered, abs=1e-3)
    assert float(batch_loss(*trainer_of(model, some_paths(), taut)).detach()) > 1e3


def test_the_loss_reads_no_token_after_a_point(tiny: LanguageModel) -> None:
    long, short = some_paths()
    cut = long.model_copy(update={"token_ids": long.token_ids[:9]})
    whole, shorter = (float(batch_loss(*trainer_of(tiny, [path, short])).detach()) for path in (long, cut))
    assert shorter == pytest.approx(whole, rel=1e-5)


def margins(model: LanguageModel, paths: list[TokenPreferences]) -> list[float]:
    """How far each chosen token is above the rejected one."""
    with torch.no_grad():
        rows = [
            (model.model(input_ids=torch.tensor([path.token_ids[: point.position]])).logits[0, -1], point)
            for path in paths
            for point in path.points
        ]
    return [float(logits[token] - logits[point.rejected]) for logits, point in rows for token in point.chosen]


def test_training_raises_the_chosen_above_the_rejected(tiny: LanguageModel) -> None:
    before = margins(tiny, some_paths())
    tuned = train_ftpo(tiny, some_paths(), FtpoSettings(epochs=30, learning_rate=2e-3))
    after = margins(tuned.adapted.model, some_paths())
    assert any(margin < 0 for margin in before)
    assert all(margin > 0.5 for margin in after)
    assert all(now > was for was, now in zip(before, after, strict=True) if was < 0)
    assert margins(tiny, some_paths()) == before


def many_paths() -> list[TokenPreferences]:
    """Of enough texts that two are held out, a long and a short one."""
    return [
        path.model_copy(update={"generation_id": f"{path.generation_id}-{number}"})
        for number in range(10)
        for path in some_paths()
    ]


def test_training_ends_when_enough_held_out_points_are_won(tiny: LanguageModel) -> None:
    settings = FtpoSettings(epochs=40, learning_rate=5e-4, enough=0.9, checks_an_epoch=1)
    tuned = train_ftpo(tiny, many_paths(), settings)
    rates = [check.win_rate for check in tuned.checks]
    assert len(rates) < 40
    assert rates[-1] >= 0.9 > max([0.0, *rates[:-1]])
    assert f"after step {tuned.steps[-1].step}" in tuned.ended
    _, held_out = hold_out(many_paths())
    each = [
        sum(margin > 0 for margin in margins(tuned.adapted.model, [path.model_copy(update={"points": (point,)})]))
        / len(point.chosen)
        for path in held_out
        for point in path.points
    ]
    assert rates[-1] == pytest.approx(sum(each) / len(each))


def test_training_ends_when_too_much_else_has_moved(tiny: LanguageModel) -> None:
    settings = FtpoSettings(epochs=40, learning_rate=3e-4, enough=1.0, most_drift=0.0001, tether=0.0)
    tuned = train_ftpo(tiny, many_paths(), settings)
    assert [check.drift > 0.0001 for check in tuned.checks] == [False] * (len(tuned.checks) - 1) + [True]
    assert "drifted" in tuned.ended
    _, held_out = hold_out(many_paths())
    distances = []
    for path in held_out:
        ids = torch.tensor([path.token_ids])
        before, after = (
            model(input_ids=ids).logits[0].log_softmax(-1).detach() for model in (tiny.model, tuned.adapted.adapter)
        )
        points = {point.position - 1 for point in path.points}
        places = [place for place in range(path.prompt_length - 1, len(path.token_ids) - 1) if place not in points]
        distances += [float((before[at].exp() * (before[at] - after[at])).sum()) for at in places]
    assert tuned.checks[-1].drift == pytest.approx(sum(distances) / len(distances), rel=1e-3)


def test_a_loss_that_is_no_number_ends_training_with_the_weights_before_it(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, settings = some_paths(), FtpoSettings(epochs=4)
    losses = []
    loss_of = FTPOTrainer.compute_loss

    def failing(trainer: FTPOTrainer, *given: Any, **more: Any) -> Tensor:
        losses.append(loss_of(trainer, *given, **more))
        return losses[-1] * (torch.nan if len(losses) == 3 else 1)

    whole = train_ftpo(tiny, paths, settings)
    monkeypatch.setattr(FTPOTrainer, "compute_loss", failing)
    broken = train_ftpo(tiny, paths, settings)
    assert len(losses) == 3
    assert "step 3" in broken.ended
    assert all(weight.isfinite().all() for weight in broken.adapted.adapter.parameters())
    ids = torch.arange(3, 60)[None]
    plain, half, full = (
        model(input_ids=ids).logits for model in (tiny.model, broken.adapted.adapter, whole.adapted.adapter)
    )
    assert not torch.equal(half, plain)
    assert not torch.equal(half, full)


@pytest.mark.parametrize("key", sorted(FtpoSettings.model_fields.keys() - NOT_IN_WEIGHTS))
def test_every_setting_changes_the_trained_weights(key: str, tiny: LanguageModel) -> None:
    plain = FtpoSettings(epochs=4, targets_slack=0.001, each_slack=0.001, step_points=20)
    paths = some_paths()
    if key in ("enough", "most_drift", "checks_an_epoch"):  # so slowly that not everything is won at once
        paths = many_paths()
        plain = plain.model_copy(update={"learning_rate": 1e-4, "enough": 1.0})
    if key == "checks_an_epoch":  # fewer looks end it later
        plain = plain.model_copy(update={"most_drift": 1e-9, "step_points": 5})
    other = FtpoSettings.from_user(plain.model_dump() | {key: OTHER_VALUES[key]})
    weights = [
        train_ftpo(tiny, paths, settings).adapted.merged().model.get_parameter("model.layers.1.mlp.down_proj.weight")
        for settings in (plain, other, plain)
    ]
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("pass_tokens", [1, 20, 60])
def test_how_much_is_read_at_once_changes_nothing(pass_tokens: int, tiny: LanguageModel) -> None:
    settings = FtpoSettings(epochs=2, step_points=20, enough=1.0)
    at_once = train_ftpo(tiny, many_paths(), settings)
    in_parts = train_ftpo(tiny, many_paths(), settings.model_copy(update={"pass_tokens": pass_tokens}))
    assert [step.loss for step in in_parts.steps] == pytest.approx([step.loss for step in at_once.steps], rel=1e-4)
    # Where a gradient is but what rounding left, Adam goes its way all the same: a tenth of one step, and no more.
    torch.testing.assert_close(flat_weights(in_parts), flat_weights(at_once), rtol=0, atol=1e-4)


def test_checkpointed_activations_are_worked_out_again_and_change_nothing(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = layer_calls(monkeypatch)
    counts, tuned = [], []
    for checkpointed in (False, True):
        calls.clear()
        tuned.append(train_ftpo(tiny, some_paths(), FtpoSettings(epochs=2, checkpoint_activations=checkpointed)))
        counts.append(len(calls))
    torch.testing.assert_close(flat_weights(tuned[0]), flat_weights(tuned[1]), rtol=0, atol=1e-6)
    # Two layers in two passes are computed once more each.
    assert counts[1] - counts[0] == 4


def test_an_adapter_on_the_head_alone_is_trained_without_reading_any_path(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = FtpoSettings(epochs=3, adapter=AdapterSettings(rank=4, targets=("lm_head",)))
    calls = layer_calls(monkeypatch)
    cached = train_ftpo(tiny, some_paths(), settings)
    assert len(calls) == 2, "the reference is read once, in two layers"
    monkeypatch.setattr(FTPOTrainer, "_only_head_changes", False)
    read = train_ftpo(tiny, some_paths(), settings)
    assert len(calls) > 4
    torch.testing.assert_close(flat_weights(cached), flat_weights(read), rtol=0, atol=1e-6)
    assert flat_weights(cached).abs().sum() > 0


def test_rows_of_a_dataset_are_trained_on_as_records_are(tiny: LanguageModel) -> None:
    rows: Any = Dataset.from_list([path.model_dump() for path in many_paths()])
    settings = FtpoSettings(epochs=1)
    weights = []
    for paths in (many_paths(), rows):
        adapted = with_adapter(tiny, AdapterSettings(rank=4))
        arguments = TrainingArguments(**training_arguments(adapted.model, settings, seed=0, rate=1e-3))
        seen: list[int] = []

        class Watcher(TrainerCallback):
            def on_step_end(self, *given: Any, **_: Any) -> None:
                seen.append(given[1].global_step)  # noqa: B023

        trainer = FTPOTrainer(adapted, arguments, paths, settings=settings, callbacks=[Watcher()])
        trainer.train()
        assert seen
        weights.append(torch.cat([value.flatten() for value in adapted.adapter.parameters() if value.requires_grad]))
    assert torch.equal(weights[0], weights[1])


class Killed(Exception):  # noqa: N818 - it stands for a kill
    pass


def test_a_training_that_was_killed_goes_on_as_if_nothing_had_been(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = FtpoSettings(epochs=3, step_points=20, save_every_min=1e-9, enough=1.0, learning_rate=1e-4)
    whole = train_ftpo(tiny, many_paths(), settings)
    step = FTPOTrainer.training_step

    def killed(trainer: FTPOTrainer, *given: Any, **more: Any) -> Tensor:
        if trainer.state.global_step == 4:
            raise Killed
        return step(trainer, *given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(FTPOTrainer, "training_step", killed)
        with pytest.raises(Killed):
            train_ftpo(tiny, many_paths(), settings, folder=tmp_path)
    steps: list[int] = []

    def noted(trainer: FTPOTrainer, *given: Any, **more: Any) -> Tensor:
        steps.append(trainer.state.global_step)
        return step(trainer, *given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(FTPOTrainer, "training_step", noted)
        resumed = train_ftpo(tiny, many_paths(), settings, folder=tmp_path)
    assert steps[0] == 4
    assert [each.loss for each in resumed.steps] == pytest.approx([each.loss for each in whole.steps], abs=1e-6)
    assert resumed.checks == whole.checks
    torch.testing.assert_close(flat_weights(resumed), flat_weights(whole), rtol=0, atol=1e-7)
