"""Final token preference optimisation: make rejected tokens less likely than others, and touch nothing else.

Axes: `P` points, `K` chosen tokens a point (padded), `V` vocabulary, `D` width.
Source: Paech et al., Antislop (2025), section on FTPO. Repaired against the prototype: weights carry no gradient; the
mean is taken over each point's own chosen tokens; the tethers see logits without their mean, since a constant shift
changes no probability.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from planish.config import Settings
from planish.errors import PlanishError
from planish.models.language_model import LanguageModel
from planish.models.scoring import ROWS, hidden_states
from planish.records.preference import TokenPreferences
from planish.records.record import Record
from planish.train.adapter import Adapted, quiet_arguments, train_quietly, with_adapter

# The paths of one text in so many are not trained on.
HELD_OUT_EVERY = 10
RATE_TIMES_WIDTH = 0.13
HIGHEST_RATE = 1e-3


class FtpoSettings(Settings):
    """The loss and its schedule."""

    margin: float = Field(default=2.0, gt=0)
    """How far, in logits, a chosen token is lifted above the rejected one; past it nothing pushes."""
    tether: float = Field(default=0.4, ge=0)
    """Weight of the mean squared drift of all tokens that are neither chosen nor rejected."""
    tether_targets: float = Field(default=0.1, ge=0)
    """Weight of the squared drift, past its slack, of the mean over chosen and rejected tokens."""
    targets_slack: float = Field(default=2.0, ge=0)
    """How far that mean may drift freely, in logits."""
    tether_each: float = Field(default=0.05, ge=0)
    """Weight of the mean squared drift, past its slack, of each chosen and rejected token."""
    each_slack: float = Field(default=1.0, ge=0)
    """How far each of them may drift freely, in logits."""
    learning_rate: float | None = Field(default=None, gt=0)
    """The highest; by default 0.13 / width of the model, at most 0.001: 3e-5 for one 4,096 wide."""
    epochs: int = Field(default=4, ge=1)
    """Passes over the paths, at most."""
    batch_size: int = Field(default=16, ge=1)
    """Paths an optimiser step."""
    rank: int = Field(default=32, ge=1)
    """Rank of the LoRA adapter."""
    enough: float = Field(default=0.95, gt=0, le=1)
    """Training ends early when so many chosen tokens are likelier than the rejected one, on held-out points."""


class TrainingEpoch(Record):
    """What an epoch came to: the share of chosen tokens that are likelier than the rejected one, on held-out points."""

    epoch: int
    win_rate: float
    points: int


class Tuned(NamedTuple):
    """A trained adapter in its model, what each epoch came to, and why training ended."""

    adapted: Adapted
    epochs: Sequence[TrainingEpoch]
    reason: str


class NotFiniteError(PlanishError):
    """The loss is not a number."""


class Points(NamedTuple):
    """Points of several paths side by side: `rejected` (P,), `chosen` (P, K), `is_chosen` (P, K) bool.

    Padding repeats the rejected token, and is not chosen.
    """

    rejected: Tensor
    chosen: Tensor
    is_chosen: Tensor


class FtpoLoss(NamedTuple):
    """The terms of the loss, unweighted."""

    preference: Tensor
    tether: Tensor
    tether_targets: Tensor
    tether_each: Tensor

    def total(self, settings: FtpoSettings) -> Tensor:
        """The weighted sum."""
        return (
            self.preference
            + settings.tether * self.tether
            + settings.tether_targets * self.tether_targets
            + settings.tether_each * self.tether_each
        )


def ftpo_loss(logits: Tensor, reference: Tensor, points: Points, settings: FtpoSettings) -> FtpoLoss:
    """The loss at P points.

    Args:
        logits: (P, V) float32, the policy's.
        reference: (P, V) float32, the untrained model's.
        points: what is rejected and chosen at each.
        settings: margin and slacks.
    """
    margins = logits.gather(1, points.chosen) - logits.gather(1, points.rejected[:, None])
    weights = ((settings.margin - margins) / settings.margin).clamp(0, 1).detach()
    shortfall = weights * softplus(settings.margin - margins)
    preference = _mean_where(points.is_chosen, shortfall).mean()

    drift = logits - reference
    drift = drift - drift.mean(-1, keepdim=True)
    targets = torch.cat([points.chosen, points.rejected[:, None]], 1)
    is_target = torch.cat([points.is_chosen, torch.ones_like(points.is_chosen[:, :1])], 1)
    others = torch.ones_like(drift, dtype=torch.bool).scatter(1, targets, False)
    target_drift = drift.gather(1, targets)
    mean_drift = _mean_where(is_target, target_drift)
    return FtpoLoss(
        preference=preference,
        tether=_mean_where(others, drift**2).mean(),
        tether_targets=((mean_drift.abs() - settings.targets_slack).clamp(min=0) ** 2).mean(),
        tether_each=_mean_where(is_target, (target_drift.abs() - settings.each_slack).clamp(min=0) ** 2).mean(),
    )


class FtpoTrainer(Trainer):
    """A `transformers.Trainer` for `TokenPreferences`: one pass over each path, the head only at its points.

    The reference is the hidden state of the model as it is now, kept once for each point; there is no second model.

    Args:
        model: the language model whose weights are trained.
        adapter: the PEFT model around it, if one is trained instead; the head of the reference runs without it.
        preferences: the training rows.
        settings: loss and schedule.
        arguments: of the `Trainer`.
    """

    def __init__(
        self,
        model: LanguageModel,
        adapter: PeftModel,
        preferences: Sequence[TokenPreferences],
        settings: FtpoSettings,
        arguments: TrainingArguments,
    ) -> None:
        self.language_model = model
        self.settings = settings
        self._adapter = adapter
        rows = [
            {"path": preference, "reference": states}
            for preference, states in zip(preferences, self._states(preferences), strict=True)
        ]
        super().__init__(model=adapter, args=arguments, train_dataset=rows, data_collator=lambda rows: {"rows": rows})

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """A step forward and back.

        Raises:
            NotFiniteError: the loss or a gradient is not a number; no weight has been changed by it.
        """
        loss: Tensor = super().training_step(*args, **kwargs)
        gradients = [weight.grad for weight in self._adapter.parameters() if weight.grad is not None]
        if not all(value.isfinite().all() for value in (loss, *gradients)):
            raise NotFiniteError(f"the loss is not a number in step {self.state.global_step + 1}")
        return loss

    def compute_loss(self, model: nn.Module, inputs: Mapping[str, Any], *_: Any, **__: Any) -> Tensor:
        """The FTPO loss of a batch of paths."""
        paths = [row["path"] for row in inputs["rows"]]
        logits = point_logits(self.language_model, paths)
        with torch.no_grad(), self._without_adapter():
            reference = self.language_model.head(torch.cat([row["reference"] for row in inputs["rows"]]))
        points = pack_points(paths, logits.device)
        return ftpo_loss(logits, reference, points, self.settings).total(self.settings)

    @torch.no_grad()
    def _states(self, preferences: Sequence[TokenPreferences]) -> Iterator[Tensor]:
        """The hidden states at the points of each path, (P, D)."""
        for start in range(0, len(preferences), ROWS):
            block = preferences[start : start + ROWS]
            with self._without_adapter():
                states = hidden_states(self.language_model, [path.token_ids for path in block])
            for row, path in zip(states, block, strict=True):
                yield row[[point.position - 1 for point in path.points]]

    def _without_adapter(self) -> AbstractContextManager[None]:
        context: AbstractContextManager[None] = self._adapter.disable_adapter()
        return context


def train_ftpo(
    model: LanguageModel, preferences: Sequence[TokenPreferences], settings: FtpoSettings | None = None, seed: int = 0
) -> Tuned:
    """A copy of the model with an adapter trained on the points.

    The paths of one text in ten are held out; training ends when `FtpoSettings.enough` is reached on them. Where the
    loss stops being a number, it ends with the weights of the step before.
    """
    settings = settings or FtpoSettings()
    adapted = with_adapter(model, settings.rank, seed)
    ordered = sorted(preferences, key=lambda path: (path.generation_id, path.token_ids))
    # A text and its branches share their beginnings, so they stay together.
    texts = sorted({path.generation_id for path in ordered})
    judging = set(texts[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
    held_out = [path for path in ordered if path.generation_id in judging]
    used = [path for path in ordered if path.generation_id not in judging]
    rate = settings.learning_rate or min(HIGHEST_RATE, RATE_TIMES_WIDTH / model.width)
    arguments = quiet_arguments(
        adapted.model, seed, learning_rate=rate, epochs=settings.epochs, batch_size=settings.batch_size
    )
    trainer = FtpoTrainer(adapted.model, adapted.adapter, used, settings, arguments)
    referee = _Referee(adapted.model, held_out, settings.enough)
    trainer.add_callback(referee)
    try:
        train_quietly(trainer)
        reason = referee.reason
    except NotFiniteError as error:
        reason = f"{error.message}; the weights are those of the step before"
    adapted.model.model.eval()
    return Tuned(adapted, referee.epochs, reason)


@torch.no_grad()
def win_rate(model: LanguageModel, preferences: Sequence[TokenPreferences]) -> float:
    """Over all points, the mean share of chosen tokens that are likelier than the rejected one."""
    wins = []
    for start in range(0, len(preferences), ROWS):
        paths = preferences[start : start + ROWS]
        logits, points = point_logits(model, paths), pack_points(paths, model.device)
        ahead = logits.gather(1, points.chosen) > logits.gather(1, points.rejected[:, None])
        wins.append(_mean_where(points.is_chosen, ahead.float()))
    return float(torch.cat(wins).mean())


def point_logits(model: LanguageModel, paths: Sequence[TokenPreferences]) -> Tensor:
    """The logits at all points of some paths, in order, (P, V): one pass over each path, the head only there."""
    states = hidden_states(model, [path.token_ids for path in paths])
    at = [(row, point.position - 1) for row, path in enumerate(paths) for point in path.points]
    rows, positions = (torch.tensor(index, device=states.device) for index in zip(*at, strict=True))
    return model.head(states[rows, positions])


class _Referee(TrainerCallback):
    """Judges by points that are not trained on, after each epoch, and ends the training when they are won."""

    def __init__(self, model: LanguageModel, held_out: Sequence[TokenPreferences], enough: float) -> None:
        self.epochs: list[TrainingEpoch] = []
        self.reason = "all epochs done"
        self._model = model
        self._held_out = held_out
        self._enough = enough

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not self._held_out:
            return
        self._model.model.eval()
        rate = win_rate(self._model, self._held_out)
        self._model.model.train()
        points = sum(len(path.points) for path in self._held_out)
        self.epochs.append(TrainingEpoch(epoch=len(self.epochs) + 1, win_rate=rate, points=points))
        if rate >= self._enough:
            self.reason = f"{rate:.0%} of {points} held-out points were won after epoch {len(self.epochs)}"
            control.should_training_stop = True


def pack_points(paths: Sequence[TokenPreferences], device: torch.device) -> Points:
    """All points of some paths, in order, as tensors."""
    points = [point for path in paths for point in path.points]
    width = max(len(point.chosen) for point in points)
    chosen = [[*point.chosen, *[point.rejected] * (width - len(point.chosen))] for point in points]
    real = [[True] * len(point.chosen) + [False] * (width - len(point.chosen)) for point in points]
    return Points(
        rejected=torch.tensor([point.rejected for point in points], device=device),
        chosen=torch.tensor(chosen, device=device),
        is_chosen=torch.tensor(real, device=device),
    )


def _mean_where(where: Tensor, values: Tensor) -> Tensor:
    """The mean over the last axis of the values that count."""
    return torch.where(where, values, 0.0).sum(-1) / where.sum(-1).clamp(min=1)
