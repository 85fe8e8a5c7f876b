"""The weights that a training made, beside those of another one."""

import torch
from torch import Tensor

from planish.train.training import Tuned


def weights(tuned: Tuned) -> dict[str, Tensor]:
    """Of the adapter, by name."""
    return {name: weight for name, weight in tuned.adapted.adapter.named_parameters() if "lora" in name}


def flat_weights(tuned: Tuned) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in weights(tuned).values()])


def same_weights(first: Tuned, second: Tuned, tolerance: float = 0.0) -> bool:
    pairs = zip(weights(first).values(), weights(second).values(), strict=True)
    return all(one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=tolerance) for one, other in pairs)
