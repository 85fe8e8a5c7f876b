"""What a training will take, said before it begins."""

import json
import os
import subprocess
import sys

import pytest
import torch

from planish.errors import ModelError
from planish.models.language_model import LanguageModel
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings, with_adapter
from planish.train.dpo import DpoSettings, train_dpo
from planish.train.estimate import Estimate, _Live, estimate_ftpo, estimate_rows
from planish.train.ftpo import hold_out, train_ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer
from planish.train.passes import Passes
from planish.train.path_rows import PathRows
from planish.train.sft import Completion, SftSettings, train_sft
from planish.train.token_pairs import TokenPair

SETTINGS = FtpoSettings(epochs=3, step_points=12, enough=1.0, adapter=AdapterSettings(rank=4))
# A training of some seconds, in a process of its own: how long it takes, and how much memory it adds at its peak.
MEASURED = """
import json, time
from pathlib import Path
from test_estimate import LARGE, paths
from planish.models.loading import load_model
from planish.train.dpo import train_dpo
from planish.train.estimate import estimate_ftpo
from planish.train.ftpo import hold_out, train_ftpo


def kilobytes(name):
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0])


model = load_model("bundled")
rows = paths(40, 300, 6, 4000)
# What the first training loads is none of the second's.
train_ftpo(model, rows[:2], LARGE.model_copy(update={"epochs": 1}))
before = kilobytes("VmRSS")
began = time.perf_counter()
train_ftpo(model, rows, LARGE)
took = time.perf_counter() - began
weights = sum(weight.nbytes for weight in model.model.parameters())
print(json.dumps({"time_s": took, "memory_bytes": 1024 * (kilobytes("VmHWM") - before) + weights}))
print(json.dumps(estimate_ftpo(model, *hold_out(rows), LARGE)._asdict()))
"""
LARGE = FtpoSettings(epochs=2, step_points=64, enough=1.0, most_drift=1e9, adapter=AdapterSettings(rank=16))


def paths(texts: int, tokens: int, points: int, vocabulary: int = 250) -> list[TokenPreferences]:
    draws = torch.Generator().manual_seed(0)
    return [
        TokenPreferences(
            generation_id=f"text-{text:03d}",
            token_ids=tuple(torch.randint(3, vocabulary, (tokens - text % 5,), generator=draws).tolist()),
            prompt_length=2,
            points=tuple(
                Point(position=2 + number, rejected=40 + number, chosen=(60,), chosen_probs=(), rule="rule")
                for number in range(points)
            ),
        )
        for text in range(texts)
    ]


def trained_by_hand(model: LanguageModel, settings: AdapterSettings, *, head: bool = True) -> int:
    adapter = with_adapter(model, settings, head=head).adapter
    return sum(weight.numel() for weight in adapter.parameters() if weight.requires_grad)


@pytest.mark.parametrize("targets", [(), ("q_proj", "down_proj"), ("lm_head",)])
def test_what_is_counted_is_what_is_trained(targets: tuple[str, ...], tiny: LanguageModel) -> None:
    adapter = AdapterSettings(rank=4, targets=targets)
    settings = SETTINGS.model_copy(update={"adapter": adapter})
    used, held_out = hold_out(paths(20, 12, 3))
    estimate = estimate_ftpo(tiny, used, held_out, settings)
    tuned = train_ftpo(tiny, [*used, *held_out], settings)
    assert estimate.trained == trained_by_hand(tiny, adapter)
    assert estimate.parameters == sum(weight.numel() for weight in tiny.model.parameters())
    assert estimate.steps == len(tuned.steps)
    assert (estimate.rows, estimate.points) == (18, 54)
    passes = Passes(PathRows(used).sizes, settings.step_points, settings.pass_tokens, settings.epochs, 1, 0)
    assert estimate.tokens == sum(len(at) * max(len(used[index].token_ids) for index in at) for at in passes if at)


@pytest.mark.parametrize("tuner", ["dpo", "sft"])
def test_texts_are_counted_as_they_are_trained_on(tuner: str, tiny: LanguageModel) -> None:
    texts = [((5, 6), (7, 8, 9 + number)) for number in range(10)]
    adapter = AdapterSettings(rank=4)
    if tuner == "dpo":
        dpo = DpoSettings(batch_size=4, epochs=2, adapter=adapter)
        sides = [(Completion(context, ids), Completion(context, (9,))) for context, ids in texts]
        estimate = estimate_rows(tiny, sides, dpo, has_reference=True)
        tuned = train_dpo(tiny, [TokenPair(context, ids, (9,)) for context, ids in texts], dpo)
        assert estimate.tokens == 10 * 2 * 5
    else:
        sft = SftSettings(batch_size=4, epochs=2, adapter=adapter)
        estimate = estimate_rows(tiny, [(Completion(*text),) for text in texts], sft, has_reference=False)
        tuned = train_sft(tiny, [Completion(*text) for text in texts], sft)
        assert estimate.tokens == 10 * 5
    assert estimate.steps == len(tuned.steps)
    assert estimate.trained == trained_by_hand(tiny, adapter, head=False)


def test_the_model_is_left_as_it_is(tiny: LanguageModel) -> None:
    before, names = tiny.model_hash, {name for name, _ in tiny.model.named_modules()}
    estimate_ftpo(tiny, *hold_out(paths(12, 12, 3)), SETTINGS)
    assert (tiny.model_hash, {name for name, _ in tiny.model.named_modules()}) == (before, names)
    assert all(weight.grad is None for weight in tiny.model.parameters())


def test_what_is_twice_as_long_takes_twice_as_much(tiny: LanguageModel) -> None:
    def memory(tokens: int, **settings: object) -> int:
        own = SETTINGS.model_copy(update={"step_points": 30, **settings})
        return estimate_ftpo(tiny, paths(10, tokens, 3), [], own).memory_bytes

    short, long = memory(100), memory(200)
    assert 1.5 * short < long < 2.5 * short
    assert memory(200, checkpoint_activations=True) < 0.7 * long


def test_tensors_are_counted_while_they_live() -> None:
    given = torch.ones(1000)
    with _Live() as live:
        first = given * 2
        first.add_(1)
        view = first.view(10, 100)
        assert live.peak_bytes == 4000
        del first, view
        second = given + 1
        third = second + second
    assert live.peak_bytes == 8000
    assert third.sum() == 4000


def test_a_pass_that_does_not_fit_is_one_line(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(FTPOTrainer, "training_step", full)
    with pytest.raises(ModelError, match="does not fit into the memory of cpu") as error:
        estimate_ftpo(tiny, *hold_out(paths(12, 12, 3)), SETTINGS)
    assert "pass_tokens" in error.value.hint


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="nobody says how much memory is taken")
def test_a_training_takes_what_was_said() -> None:
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", MEASURED],
        capture_output=True,
        text=True,
        check=False,
        cwd=os.path.dirname(__file__),
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    took, said = map(json.loads, ended.stdout.splitlines()[-2:])
    estimate = Estimate(**said)
    assert took["time_s"] / 3 < estimate.time_s < 3 * took["time_s"]
    assert took["memory_bytes"] / 2 < estimate.memory_bytes < 2 * took["memory_bytes"]
