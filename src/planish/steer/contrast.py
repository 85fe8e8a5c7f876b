"""Two models at once: what one says and the other does not."""

import math

import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.steer.steer import MODEL, Adjustment, Needs, Stage, Steer, Step

OTHER = "other"


class Contrast(Steer):
    """log p + strength · (log p − log p_other): what sets the model apart from the other one, more strongly.

    A token that the model itself finds implausible may lose by this, but never gain.
    """

    stage: Stage = "mix"

    def __init__(self, other: LanguageModel, strength: float = 0.5, plausible: float = 0.1) -> None:
        self.needs = Needs(companions={OTHER: other})
        self.strength = strength
        self.plausible = plausible

    def adjust(self, step: Step) -> Adjustment:
        """Combine the two models' logits."""
        return Adjustment(contrasted(step.logits[MODEL], step.logits[OTHER], self.strength, self.plausible))


def contrasted(logits: Tensor, other: Tensor, strength: float, plausible: float) -> Tensor:
    """Log-probabilities pushed away from another model's, up to a constant a row.

    Identical models change nothing, and a strength towards 0 changes ever less.

    Args:
        logits: (B, V).
        other: (B, V).
        strength: how far.
        plausible: a token gains only if it is at least this fraction as likely as the likeliest.

    Source: O'Brien and Lewis, Contrastive decoding improves reasoning (2023), section 2. The plausibility limit is
    that of Li et al., Contrastive decoding (2022), equation 3, which cuts the implausible off even where the two agree.
    """
    own = logits.log_softmax(-1)
    gain = strength * (own - other.log_softmax(-1))
    implausible = own < own.amax(-1, keepdim=True) + math.log(plausible)
    return own + torch.where(implausible, gain.clamp(max=0), gain)
