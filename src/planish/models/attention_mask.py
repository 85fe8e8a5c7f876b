"""What each token may look at, as numbers to be added to the attention scores."""

import torch
from torch import Tensor


def additive_mask(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where `seen` (any shape, bool) is true, else the lowest number there is."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)
