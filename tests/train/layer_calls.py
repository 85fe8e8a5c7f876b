"""How often the layers of a Llama are worked out."""

from typing import Any

import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaMLP


def layer_calls(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """From now on, for every time that a layer is worked out, whether gradients were on."""
    calls: list[bool] = []
    forward: Any = LlamaMLP.forward

    def counted(layer: LlamaMLP, *given: Any) -> Any:
        calls.append(torch.is_grad_enabled())
        return forward(layer, *given)

    monkeypatch.setattr(LlamaMLP, "forward", counted)
    return calls
