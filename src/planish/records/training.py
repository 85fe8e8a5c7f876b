"""How a training went, step by step and point by point."""

from planish.records.record import Record


class TrainingStep(Record):
    """One step of an optimiser: the mean loss over its rows, the length of the gradient, and the rate."""

    step: int
    loss: float
    gradient_norm: float
    learning_rate: float


class TrainingCheck(Record):
    """A look at held-out points on the way.

    `win_rate` is the share of chosen tokens that are likelier than the rejected one, `drift` the KL divergence from the
    untrained model between the points, in nats a token.
    """

    step: int
    win_rate: float
    drift: float


class PointGap(Record):
    """A point before and after training: the mean logit of the chosen tokens less that of the rejected one."""

    generation_id: str
    position: int
    rejected: int
    rule: str
    before: float
    after: float
