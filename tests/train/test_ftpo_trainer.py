from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import Gemma2Config, Gemma2ForCausalLM

from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_tokenizer
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import quiet_arguments, with_adapter
from planish.train.ftpo import FtpoSettings, FtpoTrainer, train_ftpo, win_rate

# Every slack is passed and every margin missed by some point, so that every term has a gradient.
SETTINGS = FtpoSettings(targets_slack=0.1, each_slack=0.1)
OTHER_VALUES: dict[str, float] = {
    "margin": 3.0,
    "tether": 0.8,
    "tether_targets": 0.5,
    "targets_slack": 0.2,
    "tether_each": 0.5,
    "each_slack": 0.2,
    "learning_rate": 5e-4,
    "epochs": 3,
    "batch_size": 1,
    "rank": 4,
    "enough": 0.01,
}


@pytest.fixture(scope="session")
def softcapped() -> LanguageModel:
    """A random Gemma 2: softcaps on attention and on logits, and a window that the paths outgrow."""
    tokenizer = tiny_tokenizer()
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=6,
        final_logit_softcapping=3.0,
        initializer_range=0.4,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Gemma2ForCausalLM(config)
    model.set_attn_implementation("eager")
    return LanguageModel(model, tokenizer, "softcapped")


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
) -> tuple[FtpoTrainer, PeftModel]:
    """A trainer whose adapter, at first without effect, has `moved` by so much."""
    tuned, adapter = with_adapter(model, rank=4)
    draws = torch.Generator().manual_seed(1)
    for name, parameter in adapter.named_parameters():
        if "lora_B" in name:
            parameter.data = moved * torch.randn(parameter.shape, generator=draws)
    return FtpoTrainer(
        tuned, adapter, paths, settings, quiet_arguments(tuned, 0, 1e-3, epochs=1, batch_size=4)
    ), adapter


def batch_loss(trainer: FtpoTrainer, adapter: PeftModel) -> Tensor:
    rows: Any = trainer.train_dataset
    return trainer.compute_loss(adapter, {"rows": list(rows)})


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
    settings = FtpoSettings(epochs=40, learning_rate=5e-4, enough=0.9)
    tuned = train_ftpo(tiny, many_paths(), settings)
    rates = [epoch.win_rate for epoch in tuned.epochs]
    assert len(rates) < 40
    assert rates[-1] >= 0.9 > max([0.0, *rates[:-1]])
    assert f"after epoch {len(rates)}" in tuned.reason
    held_out = sorted(many_paths(), key=lambda path: path.generation_id)[9::10]
    wins = [margin > 0 for margin in margins(tuned.adapted.model, held_out)]
    assert tuned.epochs[-1].points == sum(len(path.points) for path in held_out)
    assert win_rate(tuned.adapted.model, held_out) == pytest.approx(rates[-1])
    assert any(wins)


def test_a_loss_that_is_no_number_ends_training_with_the_weights_before_it(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, settings = some_paths(), FtpoSettings(epochs=4)
    losses = []
    loss_of = FtpoTrainer.compute_loss

    def failing(trainer: FtpoTrainer, *given: Any, **more: Any) -> Tensor:
        losses.append(loss_of(trainer, *given, **more))
        return losses[-1] * (torch.nan if len(losses) == 3 else 1)

    whole = train_ftpo(tiny, paths, settings)
    monkeypatch.setattr(FtpoTrainer, "compute_loss", failing)
    broken = train_ftpo(tiny, paths, settings)
    assert len(losses) == 3
    assert "step 3" in broken.reason
    assert all(weight.isfinite().all() for weight in broken.adapted.adapter.parameters())
    ids = torch.arange(3, 60)[None]
    plain, half, full = (
        model(input_ids=ids).logits for model in (tiny.model, broken.adapted.adapter, whole.adapted.adapter)
    )
    assert not torch.equal(half, plain)
    assert not torch.equal(half, full)


@pytest.mark.parametrize("key", FtpoSettings.model_fields)
def test_every_setting_changes_the_trained_weights(key: str, tiny: LanguageModel) -> None:
    plain = FtpoSettings(epochs=4, targets_slack=0.001, each_slack=0.001)
    other = FtpoSettings.from_user(plain.model_dump() | {key: OTHER_VALUES[key]})
    paths = some_paths()
    if key == "enough":  # so slowly that not everything is won at once
        paths, plain = many_paths(), plain.model_copy(update={"learning_rate": 1e-4, "enough": 1.0})
        other = plain.model_copy(update={"enough": OTHER_VALUES[key]})
    weights = [
        train_ftpo(tiny, paths, settings).adapted.merged().model.get_parameter("model.layers.1.mlp.down_proj.weight")
        for settings in (plain, other, plain)
    ]
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])
