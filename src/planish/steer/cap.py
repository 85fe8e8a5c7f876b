"""A cap on risk: no token may be likelier than its chance of ending well allows."""

from collections.abc import Callable

import torch
from torch import Tensor

from planish.steer.steer import MODEL, Adjustment, Needs, Rewind, Stage, Steer, Step

DEAD_END = "dead end"


class Cap(Steer):
    """π'(a) = min(λ·π(a), 1 + Q(a) − ε): the policy nearest to the model's that keeps every cap.

    The bound holds at each step, against the estimated Q. Where the caps of the tokens that are left sum to less than 1
    there is no such policy: the text has run into a dead end and must go back, or writes the least risk, counted.

    `value` is Q: from hidden states (B, D) to minus the probability of a bad end after each token, (B, V) in [-1, 0].

    Source: Cao et al., Systematic rectification of language models via dead-end analysis (2023), section 3.
    """

    stage: Stage = "cap"
    needs = Needs()

    def __init__(self, value: Callable[[Tensor], Tensor], epsilon: float) -> None:
        self.value = value
        self.epsilon = epsilon

    def adjust(self, step: Step) -> Adjustment:
        """Project each row's distribution under its caps."""
        caps = (1 + self.value(step.hidden) - self.epsilon).clamp(0, 1)
        probabilities, feasible = capped(step.logits[MODEL].softmax(-1), caps)
        dead = (~feasible).nonzero()[:, 0].tolist()
        return Adjustment(probabilities.log(), [Rewind(row, len(step.rows[row].tokens) - 1, DEAD_END) for row in dead])


def capped(probabilities: Tensor, caps: Tensor) -> tuple[Tensor, Tensor]:
    """The projection min(λ·π, cap) with λ such that each row sums to 1, (B, V), and whether it exists, (B,).

    Only tokens with π > 0 take part. Where no projection exists, the row is all on the token with the highest cap.
    """
    support = probabilities > 0
    caps = torch.where(support, caps, 0.0).double()
    wanted = probabilities.double()
    # While λ grows, tokens reach their caps in the order of cap / π. With those before one at their caps, it and the
    # rest share what is left; the right λ is the largest under which it does not exceed its own cap.
    order = torch.where(support, caps / wanted, torch.inf).argsort(-1)
    caps_in_order, wanted_in_order = caps.gather(-1, order), wanted.gather(-1, order)
    left = 1 - (caps_in_order.cumsum(-1) - caps_in_order)
    scales = left / wanted_in_order.flip(-1).cumsum(-1).flip(-1)
    fits = (wanted_in_order > 0) & (scales * wanted_in_order <= caps_in_order)
    scale = torch.where(fits, scales, -torch.inf).amax(-1, keepdim=True)
    scale = torch.where(fits.any(-1, keepdim=True), scale, torch.inf)
    feasible = ~(caps.sum(-1) < 1)  # caps that are no numbers make a row of no numbers, not a dead end
    # Among equal caps the likeliest token: so it is one of those that are left even where all caps are 0.
    safest = torch.zeros_like(caps).scatter_(-1, (caps + 1e-9 * wanted).argmax(-1, keepdim=True), 1.0)
    projected = torch.where(support, torch.minimum(scale * wanted, caps), 0.0)
    return torch.where(feasible[:, None], projected, safest).to(probabilities), feasible
