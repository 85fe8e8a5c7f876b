"""Final token preference optimisation: make rejected tokens less likely than others, and touch nothing else.

Axes: `P` points, `K` chosen tokens a point (padded), `V` vocabulary, `D` width.
Source: Paech et al., Antislop (2025), section on FTPO. Repaired against the prototype: weights carry no gradient; the
mean is taken over each point's own chosen tokens; the tethers see logits without their mean, since a constant shift
changes no probability.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus
from transformers import Trainer, TrainingArguments

from planish.config import Settings
from planish.models.language_model import LanguageModel
from planish.models.scoring import hidden_states
from planish.records.preference import TokenPreferences
from planish.train.adapter import merged, quiet_arguments, train_quietly, with_adapter


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
    learning_rate: float = Field(default=2e-3, gt=0)
    epochs: int = Field(default=4, ge=1)
    batch_size: int = Field(default=16, ge=1)
    """Paths an optimiser step."""
    rank: int = Field(default=32, ge=1)
    """Rank of the LoRA adapter."""


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
        rows = [{"path": preference, "reference": self._states(preference)} for preference in preferences]
        super().__init__(model=adapter, args=arguments, train_dataset=rows, data_collator=lambda rows: {"rows": rows})

    def compute_loss(self, model: nn.Module, inputs: Mapping[str, Any], *_: Any, **__: Any) -> Tensor:
        """The FTPO loss of a batch of paths."""
        paths = [row["path"] for row in inputs["rows"]]
        states = hidden_states(self.language_model, [path.token_ids for path in paths])
        at = [(row, point.position - 1) for row, path in enumerate(paths) for point in path.points]
        rows, positions = (torch.tensor(index, device=states.device) for index in zip(*at, strict=True))
        logits = self.language_model.head(states[rows, positions])
        with torch.no_grad(), self._without_adapter():
            reference = self.language_model.head(torch.cat([row["reference"] for row in inputs["rows"]]))
        points = pack_points(paths, states.device)
        return ftpo_loss(logits, reference, points, self.settings).total(self.settings)

    @torch.no_grad()
    def _states(self, preference: TokenPreferences) -> Tensor:
        with self._without_adapter():
            states = hidden_states(self.language_model, [preference.token_ids])
        return states[0, [point.position - 1 for point in preference.points]]

    def _without_adapter(self) -> AbstractContextManager[None]:
        context: AbstractContextManager[None] = self._adapter.disable_adapter()
        return context


def train_ftpo(
    model: LanguageModel, preferences: Sequence[TokenPreferences], settings: FtpoSettings | None = None, seed: int = 0
) -> LanguageModel:
    """A copy of the model, trained on the points through a LoRA adapter, with the adapter merged."""
    settings = settings or FtpoSettings()
    tuned, adapter = with_adapter(model, settings.rank, seed)
    arguments = quiet_arguments(
        tuned, seed, learning_rate=settings.learning_rate, epochs=settings.epochs, batch_size=settings.batch_size
    )
    train_quietly(FtpoTrainer(tuned, adapter, preferences, settings, arguments))
    return merged(tuned, adapter)


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
