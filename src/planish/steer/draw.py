"""One token for each of some rows: the stages in their order, and the draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.records.trace import Trace
from planish.steer.noise import gumbel
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.stages import Stages
from planish.steer.steer import MODEL, Rewind, Step

NOT_NUMBERS = "the logits are not numbers"
NOTHING_LEFT = "no token is left that may be written"


@dataclass
class Draw:
    """What came out, an entry a row.

    `probabilities` are those of the drawn tokens before anything was forbidden or cut off. `faults` say why a row
    cannot go on, mostly nothing. `dead_ends` are the rows that a steer wants to go back before anything is written.
    """

    tokens: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    dead_ends: dict[int, Rewind] = field(default_factory=dict)
    traces: list[Trace] = field(default_factory=list)


def draw_tokens(
    plan: Plan, rows: Sequence[Row], logits: Mapping[str, Tensor], hidden: Tensor, model: LanguageModel
) -> Draw:
    """Draw a token for each of these rows of one plan; nothing is written yet.

    Args:
        plan: the rows' plan.
        rows: B rows.
        logits: (B, V) of each model that runs, by `model_key`.
        hidden: (B, D), the steered model's.
        model: the steered model.
    """
    stages = Stages(plan, Step(rows, logits, hidden))
    mixed = stages.run("mix")
    stages.set_logits(_without_rejected(rows, mixed, model))
    stages.run("forbid")
    stages.set_logits(_sampled(plan, rows, stages.logits, model))
    left = stages.run("cap")
    drawn = _draw(plan, rows, left)
    # One transfer: of each row the token, what the models gave it, and whether it was there to be drawn at all.
    chosen = drawn[:, None]
    numbers = [drawn, mixed.softmax(-1).gather(1, chosen)[:, 0], left.gather(1, chosen)[:, 0]]
    draw = Draw(dead_ends=stages.dead_ends)
    for token, probability, score in torch.stack([number.double() for number in numbers], 1).tolist():
        draw.tokens.append(int(token))
        draw.probabilities.append(probability)
        draw.faults.append(_fault(probability, score))
    if plan.top is not None:
        draw.traces = stages.traces(rows, drawn, plan.top)
    return draw


def _fault(probability: float, score: float) -> str:
    if probability != probability or score != score:
        return NOT_NUMBERS
    return NOTHING_LEFT if score == -torch.inf else ""


def _without_rejected(rows: Sequence[Row], logits: Tensor, model: LanguageModel) -> Tensor:
    """Without control tokens, and without what was rejected where a row stands."""
    tags = list(model.tags.values())
    rejected = [(index, token) for index, row in enumerate(rows) for token in row.rejected.get(len(row.tokens), ())]
    if not tags and not rejected:
        return logits
    logits = logits.clone()
    logits[:, tags] = -torch.inf
    if rejected:
        places = torch.tensor(rejected, device=logits.device)
        logits[places[:, 0], places[:, 1]] = -torch.inf
    return logits


def _sampled(plan: Plan, rows: Sequence[Row], logits: Tensor, model: LanguageModel) -> Tensor:
    """What the user's settings leave."""
    prompts, texts = [row.prompt_ids[MODEL] for row in rows], [row.tokens for row in rows]
    least = [row.plan.sampling.min_tokens if row.plan else 0 for row in rows]
    return plan.sampling.truncate(plan.sampling.penalise(logits, prompts, texts, model.end_ids, least))


def _draw(plan: Plan, rows: Sequence[Row], logits: Tensor) -> Tensor:
    """One token a row, (B,). The number of rewinds is part of the key: after each, all noise is fresh."""
    if plan.sampling.temperature == 0:
        return logits.argmax(-1)
    keys = [(row.seed, row.prompt.id, row.sample, len(row.tokens), row.rewinds) for row in rows]
    return gumbel(keys, logits.shape[-1], logits.device).add_(logits).argmax(-1)
