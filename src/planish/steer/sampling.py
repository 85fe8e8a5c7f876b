"""The user's own sampling settings."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from planish.config import Settings


class Sampling(Settings):
    """How a token is drawn, and how many."""

    max_tokens: int = Field(default=200, ge=1)
    """The longest text, in tokens."""
    temperature: float = Field(default=1.0, ge=0)
    """0 leaves only the likeliest token."""
    top_k: int | None = Field(default=None, ge=1)
    """Only the k likeliest tokens."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Only the likeliest tokens that together reach this probability."""
    min_p: float = Field(default=0.0, ge=0, lt=1)
    """Only tokens at least this fraction as likely as the likeliest."""

    def truncate(self, logits: Tensor) -> Tensor:
        """Apply temperature, top-k, top-p and min-p: (B, V) to (B, V), -inf where a token is cut off."""
        if self.temperature == 0:
            likeliest = torch.zeros_like(logits, dtype=torch.bool).scatter(1, logits.argmax(-1, keepdim=True), True)
            return logits.masked_fill(~likeliest, -torch.inf)
        warpers = LogitsProcessorList()
        if self.temperature != 1:
            warpers.append(TemperatureLogitsWarper(self.temperature))
        if self.top_k is not None:
            warpers.append(TopKLogitsWarper(self.top_k))
        if self.top_p < 1:
            warpers.append(TopPLogitsWarper(self.top_p))
        if self.min_p > 0:
            warpers.append(MinPLogitsWarper(self.min_p))
        no_ids: Any = None  # none of these warpers looks at the text so far
        return warpers(no_ids, logits)
