"""Fitting a value head to how texts ended."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.models.scoring import continuation_states
from planish.models.value_head import ValueHead
from planish.records.generation import Generation

EPOCHS = 6
BATCH = 1024
CALIBRATION_STEPS = 200


class FittedValue(NamedTuple):
    """A calibrated head, and what it is worth: the share of the squared error of a constant that it removes.

    `skill` is measured on the calibration texts; 0 is no better than always saying the base rate. `n` counts them.
    """

    head: ValueHead
    base_rate: float
    skill: float
    n: int


class _Visits(NamedTuple):
    """Every token of some texts: `hidden` (N, D) it was written from, `tokens` (N,), and how its text ended (N,)."""

    hidden: Tensor
    tokens: Tensor
    bad: Tensor


def fit_value(
    model: LanguageModel,
    fitting: Sequence[Generation],
    calibrating: Sequence[Generation],
    bad: Mapping[str, bool],
    seed: int = 0,
) -> FittedValue:
    """Fit by log loss on Monte-Carlo targets: every token of a text, its end included, carries how that text ended.

    Args:
        model: whose hidden states the head reads.
        fitting: the texts to fit.
        calibrating: texts of other prompts, on which scale and shift are set.
        bad: how each text ended, by generation id.
        seed: of the order of the batches.

    Raises:
        DataError: the texts to fit all ended alike, or no text is left to calibrate with.
    """
    if len({bad[text.id] for text in fitting if text.id in bad}) < 2:
        raise DataError(f"all of {len(fitting)} texts ended alike", "give more prompts, or more --samples")
    if not any(text.id in bad for text in calibrating):
        raise DataError("no text is left to calibrate with", "give more prompts, or more --samples")
    visits = _visits(model, fitting, bad)
    base_rate = visits.bad.mean()
    head = ValueHead(model.width, model.vocabulary).to(model.device)
    head.state.bias.data.fill_(float(torch.logit(base_rate.clamp(1e-3, 1 - 1e-3))))
    optimiser = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(visits.bad), generator=generator).to(model.device).split(BATCH):
            loss = binary_cross_entropy_with_logits(
                head.logit(visits.hidden[batch], visits.tokens[batch]), visits.bad[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    skill = _calibrate(head, _visits(model, calibrating, bad))
    return FittedValue(head.eval(), float(base_rate), skill, sum(text.id in bad for text in calibrating))


def _visits(model: LanguageModel, generations: Sequence[Generation], bad: Mapping[str, bool]) -> _Visits:
    known = [generation for generation in generations if generation.id in bad]
    hidden, tokens, ends = [], [], []
    for item, states in continuation_states(model, known):
        hidden.append(states.float())
        tokens.append(torch.tensor(item.token_ids, device=model.device))
        ends.append(torch.full((len(item.token_ids),), float(bad[item.id]), device=model.device))
    return _Visits(torch.cat(hidden), torch.cat(tokens), torch.cat(ends))


def _calibrate(head: ValueHead, visits: _Visits) -> float:
    """Set scale and shift (Platt), and return the Brier skill against the mean of the same texts."""
    if visits.bad.min() == visits.bad.max():
        return 0.0  # texts that all end alike calibrate nothing
    with torch.no_grad():
        logits = head.logit(visits.hidden, visits.tokens)
    scale, shift = (parameter.detach().clone().requires_grad_() for parameter in (head.scale, head.shift))
    optimiser = torch.optim.Adam([scale, shift], lr=0.05)
    for _ in range(CALIBRATION_STEPS):
        loss = binary_cross_entropy_with_logits(scale * logits + shift, visits.bad)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    constant = visits.bad.mean()
    if scale > 0:
        head.scale, head.shift = scale.detach(), shift.detach()
    else:  # the head is worse than none: let it say the base rate, which harms nothing
        head.scale, head.shift = torch.zeros_like(head.scale), torch.logit(constant)
    error = ((head.scale * logits + head.shift).sigmoid() - visits.bad).square().mean()
    return float(1 - error / (constant - visits.bad).square().mean())
