"""A line of the before/after table."""

from typing import Literal

from planish.records.record import Record


class Evidence(Record):
    """One figure before and after, on the same prompts and seeds.

    `low` and `high` bound the difference, `change_low` and `change_high` the relative change, at 95 %. `n` counts the
    prompts. `change` is null where before is 0.
    """

    name: str
    unit: str
    group: str
    judge: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    change: float | None
    change_low: float | None
    change_high: float | None
    n: int
    better: Literal["lower", "higher", "same"]
    margin: float | None
    verdict: Literal["better", "worse", "unclear", "same", "changed"]
