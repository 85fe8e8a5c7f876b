"""How far chosen tokens are above rejected ones, point by point."""

from collections.abc import Sequence

from planish.models.language_model import LanguageModel
from planish.records.preference import TokenPreferences
from planish.records.training import PointGap
from planish.train.ftpo_settings import FtpoSettings
from planish.train.point_figures import path_figures


def point_gaps(
    before: LanguageModel,
    after: LanguageModel,
    preferences: Sequence[TokenPreferences],
    settings: FtpoSettings | None = None,
) -> list[PointGap]:
    """The gap of every point in two models, in the order of the points.

    Args:
        before: a model.
        after: the same model, trained.
        preferences: the points.
        settings: how much is read at once.
    """
    settings = settings or FtpoSettings()
    figures = path_figures(before, after, preferences, settings.pass_tokens)
    return [
        PointGap(
            generation_id=path.generation_id,
            position=point.position,
            rejected=point.rejected,
            rule=point.rule,
            before=found.gaps[0],
            after=found.gaps[1],
        )
        for path, said in zip(preferences, figures, strict=True)
        for point, found in zip(path.points, said.points, strict=True)
    ]
