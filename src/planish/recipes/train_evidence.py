"""What points that were not trained on say of a model before and after."""

from collections import defaultdict
from collections.abc import Sequence

from planish.models.language_model import LanguageModel
from planish.prove.evidence import Tally, compare
from planish.records.evidence import Evidence
from planish.records.preference import TokenPreferences
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import MOST_WATCHED
from planish.train.point_figures import path_figures

GROUP = "held-out texts"
JUDGE = "the models themselves"
# So far may the distributions between the points be from the plain model's: KL, in nats a token.
MOST_DRIFT = 0.2

# Of each text a tally for each of its points, or places between them.
Tallies = defaultdict[str, list[Tally]]


def point_evidence(
    before: LanguageModel,
    after: LanguageModel,
    held_out: Sequence[TokenPreferences],
    settings: FtpoSettings | None = None,
) -> list[Evidence]:
    """How often chosen tokens win, by how much, and what it cost between the points: by bootstrap over texts.

    Args:
        before: a model.
        after: the same model, trained.
        held_out: points that it was not trained on.
        settings: how much is read at once.
    """
    if not held_out:
        return []
    settings = settings or FtpoSettings()
    wins: tuple[Tallies, Tallies] = (defaultdict(list), defaultdict(list))
    gaps: tuple[Tallies, Tallies] = (defaultdict(list), defaultdict(list))
    drifts: tuple[Tallies, Tallies] = (defaultdict(list), defaultdict(list))
    figures = path_figures(before, after, held_out, settings.pass_tokens, MOST_WATCHED)
    for path, said in zip(held_out, figures, strict=True):
        text = path.generation_id
        for side in (0, 1):
            wins[side][text] += [(point.wins[side], 1) for point in said.points]
            gaps[side][text] += [(point.gaps[side], 1) for point in said.points]
        if said.drifts:
            drifts[0][text] += [(0.0, 1) for _ in said.drifts]
            drifts[1][text] += [(nats, 1) for nats in said.drifts]
    gap = compare("mean_gap", "logits", JUDGE, *gaps, better="higher", group=GROUP)
    lines = [
        compare("win_rate", "share", JUDGE, *wins, better="higher", group=GROUP),
        # Most gaps begin below 0, and a share of that says nothing.
        gap.model_copy(update={"change": None, "change_low": None, "change_high": None}),
    ]
    if drifts[0]:
        lines.append(compare("kl_per_token", "nats", JUDGE, *drifts, better="same", margin=MOST_DRIFT, group=GROUP))
    return lines
