"""A cap on risk: no token may be likelier than its chance of ending well allows."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Protocol

import torch
from torch import Tensor, nn

from planish.steer.steer import MODEL, Adjustment, Needs, Rewind, Stage, Steer, Step

DEAD_END = "dead end"
# Where sampling left at most this share of the vocabulary in every row, Q is asked for those tokens alone.
FEW = 1 / 8
# A vocabulary up to here is sooner asked as a whole than searched for what is left of it.
SMALL = 1024


class Value(Protocol):
    """Q: minus the probability of a bad end after each token, in [-1, 0].

    From hidden states (B, D) to (B, V); or, where `tokens` (B, K) int64 are given, to (B, K) for those.
    """

    def __call__(self, hidden: Tensor, tokens: Tensor | None = None, /) -> Tensor:
        """Q in these states."""
        ...


class Cap(Steer):
    """π'(a) = min(λ·π(a), 1 + Q(a) − ε): the policy nearest to the model's that keeps every cap.

    The bound holds at each step, against the estimated Q. Where the caps of the tokens that are left sum to less than 1
    there is no such policy: the text has run into a dead end and must go back, or writes the least risk, counted.

    Source: Cao et al., Systematic rectification of language models via dead-end analysis (2023), section 3.
    """

    stage: Stage = "cap"
    needs = Needs()

    def __init__(self, value: Value, epsilon: float) -> None:
        self.value = value
        self.epsilon = epsilon

    def on(self, device: torch.device) -> "Cap":
        """See `Steer`; a value that is no module is taken to know no device."""
        value = deepcopy(self.value).to(device) if isinstance(self.value, nn.Module) else self.value
        return Cap(value, self.epsilon)

    def adjust(self, step: Step) -> Adjustment:
        """Project each row's distribution under its caps."""
        logits = step.logits[MODEL]
        tokens = _candidates(logits)
        shown = logits if tokens is None else logits.gather(-1, tokens)
        caps = (self.value(step.hidden, tokens) + (1 - self.epsilon)).clamp(min=0)
        probabilities = shown.softmax(-1)
        # Most rows keep all caps as they are. Caps that are no numbers bind.
        bound = (~((probabilities - caps).amax(-1) <= 0)).nonzero()[:, 0]
        if not len(bound):
            return Adjustment(logits)
        projected, feasible = capped(probabilities[bound], caps[bound])
        projected = projected.log()
        if tokens is not None:
            projected = torch.full_like(logits[bound], -torch.inf).scatter(-1, tokens[bound], projected)
        rewinds = [Rewind(row, len(step.rows[row].tokens) - 1, DEAD_END) for row in bound[~feasible].tolist()]
        return Adjustment(logits.index_copy(0, bound, projected), rewinds)


def tightest(caps: Sequence[Cap]) -> Cap:
    """One cap that keeps all of these: one after the other, the second projection could break the first."""

    def value(hidden: Tensor, tokens: Tensor | None = None, /) -> Tensor:
        each = [cap.value(hidden, tokens) - cap.epsilon for cap in caps]
        return torch.stack(each).amin(0)

    return Cap(value, 0.0)


def capped(probabilities: Tensor, caps: Tensor) -> tuple[Tensor, Tensor]:
    """The projection min(λ·π, cap) with λ such that each row sums to 1, (B, K), and whether it exists, (B,).

    Only tokens with π > 0 take part. Where no projection exists, the row is all on the token with the highest cap.

    Σ min(λ·π, cap) is concave in λ. A Newton step towards 1 gives what the tokens at their caps leave to the others. It
    never goes too far, so tokens only ever join those at their caps; when none does any more, λ is exact.
    """
    # Caps that are no numbers bind, and make a row of no numbers.
    binds = ~((probabilities - caps).amax(-1, keepdim=True) <= 0)
    if not binds.any():
        return probabilities, ~binds[:, 0]
    most = torch.finfo(probabilities.dtype).max
    scale = torch.ones_like(binds, dtype=torch.float64)
    while True:
        # A number, 0 or 1: arithmetic with it is faster than choosing by it.
        at_cap = (scale.to(probabilities) * probabilities - caps).clamp(min=0).sign()
        left, free = 1 - _total(at_cap * caps), _total(probabilities - at_cap * probabilities)
        needed = torch.where(free > 0, left / free, torch.inf).clamp(max=most)
        if not (binds & (needed > scale)).any():
            break
        scale = torch.where(binds, torch.maximum(scale, needed), scale)
    projected = torch.minimum(scale.to(probabilities) * probabilities, caps)
    feasible = ((scale < most) | ~(left > 0))[:, 0]
    if not feasible.all():
        projected = torch.where(feasible[:, None], projected, _safest(probabilities, caps))
    return projected, feasible


def _safest(probabilities: Tensor, caps: Tensor) -> Tensor:
    """All on the token with the highest cap, (B, K).

    Among equal ones it is the likeliest: so it is one of those that are left even where all caps are 0.
    """
    caps = torch.where(probabilities > 0, caps, 0.0).double()
    best = (caps + 1e-9 * probabilities.double()).argmax(-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(-1, best, 1.0)


def _candidates(logits: Tensor) -> Tensor | None:
    """The tokens that are left, (B, K), filled up with others to the widest row; None where they are no few of many."""
    if logits.shape[-1] <= SMALL:
        return None
    left = logits != -torch.inf
    each = left.sum(-1)
    widest = max(1, int(each.max()))
    if widest > FEW * logits.shape[-1]:
        return None
    if int(each.min()) == widest:
        return left.nonzero()[:, 1].view(len(logits), widest)
    return logits.topk(widest).indices


def _total(values: Tensor) -> Tensor:
    """The sum of many small numbers, in double precision: (B, K) to (B, 1)."""
    return values.sum(-1, keepdim=True, dtype=torch.float64)
