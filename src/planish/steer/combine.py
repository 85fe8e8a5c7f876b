"""How the next token's scores of two or three models become one model's: pure functions.

Axes: `B` rows, `V` vocabulary. Every function takes logits (B, V), the steered model's first, and returns log-scores
(B, V): log-probabilities up to a constant a row, -inf where a token is cut off. Where the model's own logits are -inf,
so are the scores.
"""

import math

import torch
from torch import Tensor

# Another model may find a token impossible. Minus infinity would make sums and products that are no numbers.
LEAST_LOG_PROBABILITY = -1e4
# Two probabilities that differ by less than this share of themselves differ by rounding.
ROUNDING = 1e-5


def relative_plausible(logits: Tensor, share: float) -> Tensor:
    """Which tokens are at least this share as likely as the likeliest one, (B, V) bool.

    Source: Li et al., Contrastive decoding (2022), equation 3.
    """
    return logits >= logits.amax(-1, keepdim=True) + math.log(share)


def nucleus(logits: Tensor, mass: float) -> Tensor:
    """The smallest set of likeliest tokens that together reach this probability, (B, V) bool.

    Source: Holtzman et al., The curious case of neural text degeneration (2020), section 3.1.
    """
    in_order, order = logits.softmax(-1).double().sort(-1, descending=True)
    before = in_order.cumsum(-1) - in_order
    return torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before < mass)


def log_ratio(logits: Tensor, other: Tensor, strength: float, plausible: Tensor, *, cut: bool = False) -> Tensor:
    """What sets the model apart from the other one, more strongly: log p + strength · (log p − log p_other).

    An implausible token may lose by this, but never gain: so identical models change nothing, strength 0 is the plain
    model and a strength towards 0 converges to it. Li et al. cut the implausible off even where the two models agree;
    `cut` does so, and then even strength 0 leaves only the plausible tokens.

    Args:
        logits: (B, V).
        other: (B, V).
        strength: how far.
        plausible: which tokens may gain, (B, V) bool; see `relative_plausible` and `nucleus`.
        cut: whether the others are cut off.

    Source: O'Brien and Lewis, Contrastive decoding improves reasoning (2023), section 2, for the formula; Li et al.,
    Contrastive decoding (2022), equation 3, for the plausible.
    """
    own = logits.log_softmax(-1)
    gain = strength * (own - _log_probabilities(other))
    scores = own + torch.where(plausible, gain, gain.clamp(max=0))
    return _without_impossible(own, scores.masked_fill(~plausible, -torch.inf) if cut else scores)


def amplified(after: Tensor, before: Tensor, strength: float) -> Tensor:
    """What training changed, more strongly: (1 + strength) · log p_after − strength · log p_before.

    Rare behaviour comes up in fewer texts this way. No token is spared: the change is what is to be seen.

    Source: model diff amplification (Goodfire, 2025).
    """
    own = after.log_softmax(-1)
    return _without_impossible(own, own + strength * (own - _log_probabilities(before)))


def interpolated(logits: Tensor, other: Tensor, share: float) -> Tensor:
    """Between the two models, geometrically: (1 − share) · log p + share · log p_other.

    `share` is the other model's: 0 is the model as it is, 1 the other one.
    """
    own = logits.log_softmax(-1)
    return _without_impossible(own, (1 - share) * own + share * _log_probabilities(other))


def proxy_tuned(logits: Tensor, tuned: Tensor, plain: Tensor, strength: float) -> Tensor:
    """What tuning changed in a small model, done to a large one: log p + strength · (log p_tuned − log p_plain).

    Source: Liu et al., Tuning language models by proxy (2024), equation 1.
    """
    own = logits.log_softmax(-1)
    return _without_impossible(own, own + strength * (_log_probabilities(tuned) - _log_probabilities(plain)))


def probability_difference(
    logits: Tensor,
    other: Tensor,
    weight: float = 1.0,
    other_weight: float = -1.0,
    *,
    gate: float | None = None,
    kept: Tensor | None = None,
) -> Tensor:
    """Linear in probabilities instead of in their logarithms: log max(weight · p + other_weight · p_other, 0).

    With weights 1 and -1, the tokens that the model finds likelier than the other one does, each as likely as that
    difference. The prototypes add 1e-7 to every token's difference: over a large vocabulary that is more than two
    models that nearly agree differ by, and most of what is then drawn is noise. Here a token that gains nothing,
    rounding aside, is cut off; where none gains anything, the row is the model's own (on what is kept).

    Args:
        logits: (B, V).
        other: (B, V).
        weight: of the model's probabilities.
        other_weight: of the other model's.
        gate: None for no gate; else the more alike the two are, the more the row is the model's own: a share
            exp(gate · (cos(p, p_other) − 1)) of it. 0 leaves the model as it is.
        kept: all other tokens are cut off, (B, V) bool; see `nucleus`.

    Source: Xia et al., Training trajectories of language models across scales (2023), section 4, for the difference.
    """
    own, others = logits.double().log_softmax(-1), other.double().log_softmax(-1)
    weights = own.new_tensor([weight, other_weight]).expand(len(own), 2)
    if gate is not None:
        alike = torch.cosine_similarity(own.exp(), others.exp(), dim=-1)
        share = torch.exp(gate * (alike - 1))[:, None]
        weights = (1 - share) * weights + share * own.new_tensor([1.0, 0.0])
    # As multiples of the larger of the two probabilities, so that the smallest ones do not vanish.
    larger = torch.maximum(own, others)
    terms = torch.stack([(own - larger).exp(), (others - larger).exp()], -1) * weights[:, None]
    difference = terms.sum(-1)
    difference = difference.masked_fill(difference <= ROUNDING * terms.abs().sum(-1), 0)
    scores = larger + difference.log()
    if kept is not None:
        own, scores = (each.masked_fill(~kept, -torch.inf) for each in (own, scores))
    scores = _without_impossible(own, scores)
    nothing_gains = scores.eq(-torch.inf).all(-1, keepdim=True)
    return torch.where(nothing_gains, own, scores).to(logits.dtype)


def _log_probabilities(logits: Tensor) -> Tensor:
    return logits.log_softmax(-1).clamp(min=LEAST_LOG_PROBABILITY)


def _without_impossible(own: Tensor, scores: Tensor) -> Tensor:
    return torch.where(own == -torch.inf, own, scores)
