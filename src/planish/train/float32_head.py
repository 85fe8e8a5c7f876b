"""A model's head in float32, whatever its weights and the rest of the model are in.

In bfloat16 a logit of 16 to 32 has steps of 0.125: too coarse for margins of 2.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.utils.checkpoint import checkpoint

from planish.models.language_model import LanguageModel

# Rows of the head that are there in float32 at once, forward as well as backward.
ROWS = 16384


@contextmanager
def float32_head(model: LanguageModel) -> Iterator[None]:
    """While this lasts, `model.head` and its adapter multiply and add in float32."""
    output = model.model.get_output_embeddings()
    plain = getattr(output, "base_layer", output)
    if not isinstance(plain, nn.Linear) or plain.weight.dtype == torch.float32:
        with torch.autocast(model.device.type, enabled=False):
            yield
        return
    before = dict(vars(plain))
    vars(plain)["forward"] = lambda hidden: _linear(hidden.float(), plain.weight, plain.bias)
    try:
        with torch.autocast(model.device.type, enabled=False):
            yield
    finally:
        # Where weights are moved between devices, another `forward` stood there.
        del vars(plain)["forward"]
        vars(plain).update(before)


def float32_logits(model: LanguageModel, states: Tensor) -> Tensor:
    """The logits of some states, (..., D) to (..., V), by the head in float32."""
    with float32_head(model):
        return model.head(states)


def _linear(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    def part(hidden: Tensor, rows: Tensor) -> Any:
        return linear(hidden, rows.float())

    # Nothing of what is in float32 is kept for the backward pass.
    parts = [
        checkpoint(part, hidden, rows, use_reentrant=False, preserve_rng_state=False) for rows in weight.split(ROWS)
    ]
    logits = torch.cat(parts, -1)
    return logits if bias is None else logits + bias.float()
