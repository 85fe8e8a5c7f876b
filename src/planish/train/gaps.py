"""How far chosen tokens are above rejected ones, point by point."""

from collections.abc import Sequence

import torch

from planish.models.language_model import LanguageModel
from planish.records.preference import TokenPreferences
from planish.records.training import PointGap
from planish.train.float32_head import float32_head
from planish.train.ftpo_loss import Points, margins, mean_where
from planish.train.ftpo_settings import FtpoSettings
from planish.train.path_rows import PathRows, collated
from planish.train.point_states import point_states


def point_gaps(before: LanguageModel, after: LanguageModel, preferences: Sequence[TokenPreferences]) -> list[PointGap]:
    """The gap of every point in two models, in the order of the points."""
    points = [(path, point) for path in preferences for point in path.points]
    return [
        PointGap(
            generation_id=path.generation_id,
            position=point.position,
            rejected=point.rejected,
            rule=point.rule,
            before=first,
            after=second,
        )
        for (path, point), first, second in zip(
            points, _gaps(before, preferences), _gaps(after, preferences), strict=True
        )
    ]


@torch.no_grad()
def _gaps(model: LanguageModel, preferences: Sequence[TokenPreferences]) -> list[float]:
    rows = PathRows(preferences)
    gaps: dict[int, list[float]] = {}
    for at in rows.alike(FtpoSettings().pass_tokens):
        inputs = {name: value.to(model.device) for name, value in collated([rows[index] for index in at]).items()}
        states = point_states(model.model, model, inputs)
        with float32_head(model):
            logits = model.head(states)
        points = Points(*(inputs[name] for name in Points._fields))
        found = mean_where(points.is_chosen, margins(logits, points)).tolist()
        for index in at:
            count = len(rows.paths[index].points)
            gaps[index], found = found[:count], found[count:]
    return [gap for index in range(len(rows)) for gap in gaps[index]]
