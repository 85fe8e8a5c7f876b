"""The stages of a step, in their order, and what each steer did in them."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from planish.records.trace import Trace
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.steer import MODEL, Rewind, Stage, Steer, Step


def model_key(at: int, name: str) -> str:
    """The name of a model among all that run: two steers may each have a companion of one name."""
    return name if name == MODEL else f"{name} of steer {at}"


class Stages:
    """A step on its way through the stages; `dead_ends` are the rows that some steer, `asking`, wants to go back."""

    def __init__(self, plan: Plan, step: Step) -> None:
        self.plan = plan
        self.step = step
        self.first = step.logits[MODEL]
        self.dead_ends: dict[int, Rewind] = {}
        self.asking: list[Steer] = []
        self.changes: list[tuple[str, Tensor, Tensor]] = []

    @property
    def logits(self) -> Tensor:
        """The steered model's, as far as the step has come, (B, V)."""
        return self.step.logits[MODEL]

    def set_logits(self, logits: Tensor) -> None:
        """Go on with these."""
        self.step = replace(self.step, logits={**self.step.logits, MODEL: logits})

    def run(self, stage: Stage) -> Tensor:
        """Let the steers of a stage adjust the logits."""
        for at, steer in enumerate(self.plan.steers):
            if steer.stage == stage:
                before = self.logits
                shown = {name: self.step.logits[model_key(at, name)] for name in (MODEL, *steer.needs.companions)}
                adjustment = steer.adjust(replace(self.step, logits=shown))
                self.dead_ends |= {rewind.row: rewind for rewind in adjustment.rewinds}
                self.asking += [steer] if adjustment.rewinds else []
                self.set_logits(adjustment.logits)
                if adjustment.logits is not before and self.plan.top is not None:
                    self.changes.append((type(steer).__name__.lower(), before, adjustment.logits))
        return self.logits

    def traces(self, rows: Sequence[Row], drawn: Tensor, top: int) -> list[Trace]:
        """What happened at each drawn token; its text is not known yet."""
        chosen = drawn[:, None]
        own = self.first.softmax(-1)
        ranks = (own > own.gather(1, chosen)).sum(1).add(1).tolist()
        likeliest = own.topk(min(top, own.shape[1]))
        tops = [
            tuple(zip(tokens, shares, strict=True))
            for tokens, shares in zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
        ]
        own_shares, last_shares = (shares.gather(1, chosen)[:, 0].tolist() for shares in (own, self.logits.softmax(-1)))
        changes = [
            (name, (after.log_softmax(-1) - before.log_softmax(-1)).gather(1, chosen)[:, 0].tolist())
            for name, before, after in self.changes
        ]
        return [
            Trace(
                token=token,
                text="",
                probability=own_shares[index],
                rank=ranks[index],
                top=tops[index],
                steers={name: change[index] for name, change in changes},
                drawn_probability=last_shares[index],
                rejected=tuple(rows[index].rejected.get(len(rows[index].tokens), ())),
            )
            for index, token in enumerate(drawn.tolist())
        ]
