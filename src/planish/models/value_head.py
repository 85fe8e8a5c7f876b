"""A value head: how likely the text is to end badly, once this token is written in this state."""

import torch
from torch import Tensor, nn


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

    def logit(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """The uncalibrated log-odds of a bad end after the token taken, (B, D) and (B,) to (B,)."""
        taken = (hidden * self.token.weight[tokens]).sum(-1) + self.token.bias[tokens]
        logit: Tensor = self.state(hidden)[:, 0] + taken
        return logit

    def risk(self, hidden: Tensor) -> Tensor:
        """The calibrated probability of a bad end after each token, (B, D) to (B, V) in [0, 1]."""
        return torch.sigmoid(self.scale * (self.state(hidden) + self.token(hidden)) + self.shift)

    def forward(self, hidden: Tensor) -> Tensor:
        """Q, which is minus the risk: (B, D) to (B, V) in [-1, 0]."""
        return -self.risk(hidden.float())
