"""What two models make of points and of places between them, with the logits of but a few places at a time.

Axes: `P` points, `W` watched places, `N` = P + W, `D` width, `V` vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.models.scoring import kl_divergence
from planish.records.preference import TokenPreferences
from planish.train.float32_head import float32_logits
from planish.train.ftpo_loss import Points, margins, mean_where
from planish.train.passes import tokens_a_pass
from planish.train.path_rows import PathRows, collated, points_of
from planish.train.point_states import point_states

# So many places have their logits, (V,) each, in memory at once: a pass can have a hundred times as many.
PLACES = 128


class Voice(NamedTuple):
    """A head, and the states that it makes logits of, (N, D): those of the points first."""

    head: Callable[[Tensor], Tensor]
    states: Tensor


class PointFigures(NamedTuple):
    """Before and after: how far chosen tokens are above the rejected one in the mean, and the share of them above it.

    Gaps are in logits.
    """

    gaps: tuple[float, float]
    wins: tuple[float, float]


class Figures(NamedTuple):
    """What is said at each point, and how far the two are apart at each watched place: KL, in nats."""

    points: list[PointFigures]
    drifts: list[float]


@torch.no_grad()
def figures(before: Voice, after: Voice, points: Points) -> Figures:
    """What two models say at the same P points and W places."""
    count = len(points.rejected)
    found = Figures([], [])
    for part in _parts(0, count):
        own = Points(*(each[part] for each in points))
        above = [margins(voice.head(voice.states[part]), own) for voice in (before, after)]
        gaps = [mean_where(own.is_chosen, each).tolist() for each in above]
        wins = [mean_where(own.is_chosen, (each > 0).float()).tolist() for each in above]
        found.points.extend(
            PointFigures(*each) for each in zip(zip(*gaps, strict=True), zip(*wins, strict=True), strict=True)
        )
    for part in _parts(count, len(before.states)):
        first, second = (voice.head(voice.states[part]).log_softmax(-1) for voice in (before, after))
        found.drifts.extend(kl_divergence(first, second).tolist())
    return found


@torch.no_grad()
def path_figures(
    before: LanguageModel,
    after: LanguageModel,
    preferences: Sequence[TokenPreferences],
    pass_tokens: int,
    most_watched: int = 0,
) -> list[Figures]:
    """For each path, what two models say at its points, and at so many places between them at most.

    Args:
        before: a model.
        after: one of the same architecture, on the same device.
        preferences: the paths.
        pass_tokens: tokens that are read at once.
        most_watched: places a path.
    """
    rows = PathRows(preferences, most_watched)
    found: dict[int, Figures] = {}
    for at in rows.alike(tokens_a_pass(before, pass_tokens)):
        inputs = {name: value.to(before.device) for name, value in collated([rows[index] for index in at]).items()}
        first, second = (
            Voice(partial(float32_logits, model), point_states(model.model, model, inputs)) for model in (before, after)
        )
        said = figures(first, second, points_of(inputs))
        points, drifts = iter(said.points), iter(said.drifts)
        for index in at:
            path, watched, _ = rows[index]
            found[index] = Figures([*islice(points, len(path.points))], [*islice(drifts, len(watched))])
    return [found[index] for index in range(len(rows))]


def _parts(first: int, end: int) -> Iterator[slice]:
    for at in range(first, end, PLACES):
        yield slice(at, min(at + PLACES, end))
