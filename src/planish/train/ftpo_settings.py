"""Everything that FTPO can be told."""

from pydantic import Field

from planish.train.adapter import AdapterSettings
from planish.train.arguments import ScheduleSettings
from planish.train.balance import BalanceSettings


class FtpoSettings(ScheduleSettings):
    """The loss, its schedule, and what is trained."""

    rate_factor: float = Field(default=1.0, gt=0)
    """What the learning rate by rule is multiplied by."""
    margin: float = Field(default=2.0, gt=0)
    """How far, in logits, a chosen token is lifted above the rejected one; past it nothing pushes."""
    tether: float = Field(default=0.4, ge=0)
    """Weight of the mean squared drift of all tokens that are neither chosen nor rejected."""
    tether_targets: float = Field(default=0.1, ge=0)
    """Weight of the squared drift, past its slack, of the mean over chosen and rejected tokens."""
    targets_slack: float = Field(default=2.0, ge=0)
    """How far that mean may drift freely, in logits."""
    tether_each: float = Field(default=0.05, ge=0)
    """Weight of the mean squared drift, past its slack, of each chosen and rejected token."""
    each_slack: float = Field(default=1.0, ge=0)
    """How far each of them may drift freely, in logits."""
    charge_shift: bool = False
    """Whether a drift of all logits by the same amount, which changes no probability, is drift."""

    step_points: int = Field(default=64, ge=1)
    """Points an optimiser step."""
    pass_tokens: int = Field(default=8192, ge=1)
    """Tokens that are read at once, padding included: what memory must hold. A longer path is read alone."""
    enough: float = Field(default=0.95, gt=0, le=1)
    """Training ends early when so many chosen tokens are likelier than the rejected one, on held-out points."""
    most_drift: float = Field(default=0.5, gt=0)
    """And when the distributions between the points of held-out paths are so far from the plain model's: KL, in nats a
    token."""
    checks_an_epoch: int = Field(default=2, ge=1)
    """How often both are looked at."""
    adapter: AdapterSettings = AdapterSettings()
    balance: BalanceSettings = BalanceSettings()
