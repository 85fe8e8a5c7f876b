"""A value head: how likely the text is to end badly, once this token is written in this state."""

from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import embedding

from planish.errors import DataError


class ValueHead(nn.Module):
    """Linear in the hidden state: one term for the state, one for the token in it; bounded by a sigmoid.

    `scale` and `shift` are set by calibration on held-out texts, so that the answer means a probability.
    Axes: `B` rows, `D` width, `V` vocabulary.
    """

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.state = nn.Linear(width, 1)
        self.token = nn.Linear(width, vocabulary)
        for layer in (self.state, self.token):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))

    def save(self, path: Path) -> None:
        """Write weights and calibration (safetensors)."""
        save_file({name: tensor.contiguous() for name, tensor in self.state_dict().items()}, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DataError: the file is not there, or holds no value head.
        """
        if not path.is_file():
            raise DataError(f"there is no file {path}", "give the value head that was saved (.safetensors)")
        try:
            tensors = load_file(path)
            vocabulary, width = tensors["token.weight"].shape
            head = cls(width, vocabulary)
            head.load_state_dict(tensors)
        except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise DataError(f"{path} holds no value head", "give the value head that was saved") from error
        return head.eval()

    def logit(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """The uncalibrated log-odds of a bad end after the token taken, (B, D) and (B,) to (B,)."""
        taken = (hidden * self.token.weight[tokens]).sum(-1) + self.token.bias[tokens]
        logit: Tensor = self.state(hidden)[:, 0] + taken
        return logit

    def risk(self, hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        """The calibrated probability of a bad end after each token, in [0, 1].

        From (B, D) to (B, V); or, where `tokens` (B, K) are given, to (B, K) for those.
        """
        taken = self.token(hidden) if tokens is None else self._of_candidates(hidden, tokens)
        return torch.sigmoid(torch.addcmul(self.scale * self.state(hidden) + self.shift, taken, self.scale))

    def _of_candidates(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """The terms of some tokens in the state, (B, D) and (B, K) to (B, K)."""
        return (embedding(tokens, self.token.weight) * hidden[:, None]).sum(-1) + self.token.bias[tokens]

    def forward(self, hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Q, which is minus the risk, in [-1, 0]."""
        return -self.risk(hidden.float(), tokens)
