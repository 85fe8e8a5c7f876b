"""What points that were not trained on say of a model before and after."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.models.scoring import kl_divergence
from planish.prove.evidence import Tally, compare
from planish.records.evidence import Evidence
from planish.records.preference import TokenPreferences
from planish.train.float32_head import float32_head
from planish.train.ftpo_loss import Points, margins, mean_where
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import MOST_WATCHED
from planish.train.path_rows import PathRows, collated
from planish.train.point_states import point_states

GROUP = "held-out texts"
JUDGE = "the models themselves"
# So far may the distributions between the points be from the plain model's: KL, in nats a token.
MOST_DRIFT = 0.2

# Of each text a tally for each of its paths.
Tallies = defaultdict[str, list[Tally]]


def point_evidence(before: LanguageModel, after: LanguageModel, held_out: Sequence[TokenPreferences]) -> list[Evidence]:
    """How often chosen tokens win, by how much, and what it cost between the points: by bootstrap over texts."""
    if not held_out:
        return []
    wins: tuple[Tallies, Tallies] = (defaultdict(list), defaultdict(list))
    gaps: tuple[Tallies, Tallies] = (defaultdict(list), defaultdict(list))
    drifts: tuple[Tallies, Tallies] = (defaultdict(list), defaultdict(list))
    rows = PathRows(held_out, MOST_WATCHED)
    for at in rows.alike(FtpoSettings().pass_tokens):
        inputs = {name: value.to(before.device) for name, value in collated([rows[index] for index in at]).items()}
        points = Points(*(inputs[name] for name in Points._fields))
        texts = [rows.paths[index].generation_id for index in at for _ in rows.paths[index].points]
        logits = [_logits(model, inputs) for model in (before, after)]
        count = len(texts)
        for side, own in enumerate(logits):
            above = margins(own[:count], points)
            for text, won, above_by in zip(
                texts,
                mean_where(points.is_chosen, (above > 0).float()).tolist(),
                mean_where(points.is_chosen, above).tolist(),
                strict=True,
            ):
                wins[side][text].append((won, 1))
                gaps[side][text].append((above_by, 1))
        between = kl_divergence(*(own[count:].log_softmax(-1) for own in logits)).tolist()
        watched = [rows.paths[index].generation_id for index in at for _ in rows[index].watched]
        for text, nats in zip(watched, between, strict=True):
            drifts[0][text].append((0.0, 1))
            drifts[1][text].append((nats, 1))
    gap = compare("mean_gap", "logits", JUDGE, *gaps, better="higher", group=GROUP)
    lines = [
        compare("win_rate", "share", JUDGE, *wins, better="higher", group=GROUP),
        # Most gaps begin below 0, and a share of that says nothing.
        gap.model_copy(update={"change": None, "change_low": None, "change_high": None}),
    ]
    if drifts[0]:
        lines.append(compare("kl_per_token", "nats", JUDGE, *drifts, better="same", margin=MOST_DRIFT, group=GROUP))
    return lines


@torch.no_grad()
def _logits(model: LanguageModel, inputs: dict[str, Tensor]) -> Tensor:
    """At the points and then at the watched places, (N, V)."""
    states = point_states(model.model, model, inputs)
    with float32_head(model):
        return model.head(states)
