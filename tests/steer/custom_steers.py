"""Steers that make a model do what a test is about."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from planish.steer.row import Row
from planish.steer.steer import MODEL, Adjustment, Needs, Rewind, Stage, Steer, Step

SURELY = 1e4


class Script(Steer):
    """Pushes the model to write these tokens, one a position."""

    stage: Stage = "mix"
    needs = Needs()

    def __init__(self, tokens: Sequence[int], push: float = SURELY) -> None:
        self.tokens = tokens
        self.push = push

    def adjust(self, step: Step) -> Adjustment:
        logits = step.logits[MODEL].clone()
        for index, row in enumerate(step.rows):
            if len(row.tokens) < len(self.tokens):
                logits[index, self.tokens[len(row.tokens)]] += self.push
        return Adjustment(logits)


class Adjust(Steer):
    """Does to each row's logits (V,) whatever a test wants, at any stage."""

    needs = Needs()

    def __init__(self, stage: Stage, how: Callable[[Row, Tensor], Tensor]) -> None:
        self.stage = stage
        self.how = how

    def adjust(self, step: Step) -> Adjustment:
        return Adjustment(
            torch.stack([self.how(row, logits) for row, logits in zip(step.rows, step.logits[MODEL], strict=True)])
        )


class Refuse(Steer):
    """Asks rows to go back, to positions and for rules that a test wants."""

    stage: Stage = "forbid"
    needs = Needs()

    def __init__(self, asks: Callable[[Row], Iterable[tuple[int, str]]]) -> None:
        self.asks = asks

    def review(self, step: Step) -> Sequence[Rewind]:
        return [
            Rewind(index, position, rule) for index, row in enumerate(step.rows) for position, rule in self.asks(row)
        ]


def refuse_first(tokens: Iterable[int], once_written: int = 1) -> Refuse:
    """Rejects these tokens at position 0, as soon as so many tokens stand there, or the text has ended."""
    refused = frozenset(tokens)

    def asks(row: Row) -> Iterable[tuple[int, str]]:
        complete = len(row.tokens) >= once_written or row.finish is not None
        return [(0, "refused")] if row.tokens and complete and row.tokens[0] in refused else []

    return Refuse(asks)
