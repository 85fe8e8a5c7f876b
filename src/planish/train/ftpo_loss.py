"""The loss of final token preference optimisation: rejected tokens less likely than others, and nothing else touched.

Axes: `P` points, `K` chosen tokens a point (padded), `V` vocabulary.
Source: Paech et al., Antislop (2025), section on FTPO. Repaired against the prototype: weights carry no gradient; the
mean is taken over each point's own chosen tokens; the tethers see logits without their mean, since a constant shift
changes no probability.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from planish.records.preference import Point
from planish.train.ftpo_settings import FtpoSettings


class Points(NamedTuple):
    """Points of several paths side by side: `rejected` (P,), `chosen` (P, K), `is_chosen` (P, K) bool.

    Padding repeats the rejected token, and is not chosen.
    """

    rejected: Tensor
    chosen: Tensor
    is_chosen: Tensor


class FtpoLoss(NamedTuple):
    """The terms of the loss, unweighted: each the mean over the points."""

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
        settings: margin, slacks, and whether a shift is charged.
    """
    distances = margins(logits, points)
    weights = ((settings.margin - distances) / settings.margin).clamp(0, 1).detach()
    shortfall = weights * softplus(settings.margin - distances)
    preference = mean_where(points.is_chosen, shortfall).mean()

    drift = logits - reference
    if not settings.charge_shift:
        drift = drift - drift.mean(-1, keepdim=True)
    targets = torch.cat([points.chosen, points.rejected[:, None]], 1)
    is_target = torch.cat([points.is_chosen, torch.ones_like(points.is_chosen[:, :1])], 1)
    others = torch.ones_like(drift, dtype=torch.bool).scatter(1, targets, False)
    target_drift = drift.gather(1, targets)
    mean_drift = mean_where(is_target, target_drift)
    return FtpoLoss(
        preference=preference,
        tether=mean_where(others, drift**2).mean(),
        tether_targets=((mean_drift.abs() - settings.targets_slack).clamp(min=0) ** 2).mean(),
        tether_each=mean_where(is_target, (target_drift.abs() - settings.each_slack).clamp(min=0) ** 2).mean(),
    )


def margins(logits: Tensor, points: Points) -> Tensor:
    """How far, in logits, each chosen token is above the rejected one: (P, K)."""
    return logits.gather(1, points.chosen) - logits.gather(1, points.rejected[:, None])


def pack_points(points: Sequence[Point]) -> Points:
    """Some points as tensors."""
    width = max((len(point.chosen) for point in points), default=1)
    chosen = [[*point.chosen, *[point.rejected] * (width - len(point.chosen))] for point in points]
    real = [[True] * len(point.chosen) + [False] * (width - len(point.chosen)) for point in points]
    return Points(
        rejected=torch.tensor([point.rejected for point in points], dtype=torch.long),
        chosen=torch.tensor(chosen, dtype=torch.long).reshape(-1, width),
        is_chosen=torch.tensor(real, dtype=torch.bool).reshape(-1, width),
    )


def mean_where(where: Tensor, values: Tensor) -> Tensor:
    """The mean over the last axis of the values that count."""
    return torch.where(where, values, 0.0).sum(-1) / where.sum(-1).clamp(min=1)
