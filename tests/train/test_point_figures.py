"""What two models say at points and between them, however few places are looked at at once."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import TrainingArguments

from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.recipes.train_evidence import point_evidence
from planish.records.preference import Point, TokenPreferences
from planish.train import point_figures
from planish.train.adapter import AdapterSettings, with_adapter
from planish.train.arguments import training_arguments
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer
from planish.train.gaps import point_gaps
from planish.train.point_figures import path_figures
from planish.train.point_states import point_states


def paths() -> list[TokenPreferences]:
    """Longest first, so that passes read them in another order; one has a point at every place, one but one token."""
    draws = torch.Generator().manual_seed(0)

    def path(number: int, length: int, *positions: int) -> TokenPreferences:
        return TokenPreferences(
            generation_id=f"g{number}",
            token_ids=tuple(torch.randint(3, 250, (length,), generator=draws).tolist()),
            prompt_length=1,
            points=tuple(
                Point(position=at, rejected=10 + at, chosen=(100, 101, 102)[: 1 + at % 3], chosen_probs=(), rule="r")
                for at in positions
            ),
        )

    return [path(0, 30, 4, 9, 9, 20), path(1, 1, 1), path(2, 4, 1, 2, 3, 4), path(3, 17, 16, 2)]


def logits_at(model: LanguageModel, ids: tuple[int, ...]) -> Tensor:
    """Behind these tokens, which are read alone."""
    with torch.no_grad():
        logits: Tensor = model.model(input_ids=torch.tensor([ids])).logits[0, -1].double()
        return logits


@pytest.mark.parametrize("pass_tokens", [1, 40, 8192])
@pytest.mark.parametrize("places", [1, 3, 128])
def test_they_are_those_of_each_context_alone(
    places: int, pass_tokens: int, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_figures, "PLACES", places)
    models = (tiny, tiny_llama(seed=5))
    found = path_figures(*models, paths(), pass_tokens, most_watched=100)
    for path, said in zip(paths(), found, strict=True):
        for point, own in zip(path.points, said.points, strict=True):
            for side, model in enumerate(models):
                logits = logits_at(model, path.token_ids[: point.position])
                above = logits[list(point.chosen)] - logits[point.rejected]
                assert own.gaps[side] == pytest.approx(float(above.mean()), abs=1e-4)
                assert own.wins[side] == pytest.approx(float((above > 0).double().mean()))
        taken = {point.position for point in path.points}
        contexts = [path.token_ids[:at] for at in range(1, len(path.token_ids)) if at not in taken]
        owed = []
        for context in contexts:
            before, after = (logits_at(model, context).log_softmax(-1) for model in models)
            owed.append(float((before.exp() * (before - after)).sum()))
        assert said.drifts == pytest.approx(owed, abs=1e-4)
    assert [len(said.drifts) for said in found] == [26, 0, 0, 14]


def evaluated(model: LanguageModel, settings: FtpoSettings) -> object:
    adapted = with_adapter(model, AdapterSettings(rank=4))
    arguments = TrainingArguments(**training_arguments(adapted.model, settings, seed=0, rate=1e-3))
    return FTPOTrainer(adapted, arguments, paths(), paths(), settings).evaluate()


JUDGES: dict[str, Callable[[LanguageModel, FtpoSettings], object]] = {
    "evaluation": evaluated,
    "gaps": lambda model, settings: point_gaps(model, tiny_llama(seed=5), paths(), settings),
    "evidence": lambda model, settings: point_evidence(model, tiny_llama(seed=5), paths(), settings),
}


@pytest.mark.parametrize("name", JUDGES)
def test_the_head_is_asked_of_a_few_places_at_a_time(
    name: str, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    plain: Any = LanguageModel.head

    def head(model: LanguageModel, hidden: Tensor) -> Tensor:
        asked.append(hidden.shape[:-1].numel())
        logits: Tensor = plain(model, hidden)
        return logits

    monkeypatch.setattr(LanguageModel, "head", head)
    monkeypatch.setattr(point_figures, "PLACES", 3)
    JUDGES[name](tiny, FtpoSettings())
    assert max(asked) == 3
    points = sum(len(path.points) for path in paths())
    assert sum(asked) >= 2 * points


@pytest.mark.parametrize("name", JUDGES)
def test_no_more_tokens_are_read_at_once_than_was_said(
    name: str, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, int]] = []
    plain: Any = point_states

    def states(network: Any, model: LanguageModel, inputs: Any) -> Tensor:
        read.append(tuple(inputs["input_ids"].shape))
        found: Tensor = plain(network, model, inputs)
        return found

    monkeypatch.setattr("planish.train.point_figures.point_states", states)
    monkeypatch.setattr("planish.train.ftpo_trainer.point_states", states)
    JUDGES[name](tiny, FtpoSettings(pass_tokens=10))
    assert all(rows * tokens <= 10 or rows == 1 for rows, tokens in read)
    assert any(rows > 1 for rows, _ in read)
    read.clear()
    JUDGES[name](tiny, FtpoSettings())
    assert any(rows == len(paths()) for rows, _ in read)


def test_evidence_is_the_same_however_much_is_read_at_once(tiny: LanguageModel) -> None:
    other = tiny_llama(seed=5)
    at_once, one_by_one = (
        point_evidence(tiny, other, paths(), FtpoSettings(pass_tokens=tokens)) for tokens in (8192, 1)
    )
    for first, second in zip(at_once, one_by_one, strict=True):
        assert first.name == second.name
        assert (second.before, second.after) == pytest.approx((first.before, first.after), abs=1e-5)


def test_a_difference_smaller_than_a_step_of_bfloat16_is_seen(tiny: LanguageModel) -> None:
    model = LanguageModel(copy.deepcopy(tiny.model).to(torch.bfloat16), tiny.tokenizer, "tiny")
    gaps = [point.gaps[0] for said in path_figures(model, model, paths(), 8192) for point in said.points]
    assert any(gap != float(torch.tensor(gap).to(torch.bfloat16)) for gap in gaps)


def test_a_model_and_itself_are_nothing_apart(tiny: LanguageModel) -> None:
    untouched = with_adapter(tiny, AdapterSettings(rank=4)).model
    for said in path_figures(tiny, untouched, paths(), 8192, most_watched=100):
        assert all(point.gaps[0] == point.gaps[1] for point in said.points)
        assert said.drifts == pytest.approx([0.0] * len(said.drifts), abs=1e-6)
