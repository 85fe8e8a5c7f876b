"""What a benchmark says of one model, and of two."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from planish.errors import DataError
from planish.prove.evidence import Tally, compare
from planish.records.evidence import Evidence
from planish.records.record import Record
from planish.statistics.paired_bootstrap import paired_rates


class Scored(NamedTuple):
    """One number of a benchmark: for every row what was right in it, out of how much."""

    name: str
    unit: str
    tallies: Mapping[str, Tally]


class Figure(Record):
    """One number of a benchmark with its 95 % interval, over `n` rows."""

    name: str
    unit: str
    group: str
    judge: str
    value: float
    low: float
    high: float
    n: int


def figure(scored: Scored, group: str, judge: str) -> Figure:
    """The number for one model, its interval by bootstrap over the rows.

    Raises:
        DataError: no row was scored.
    """
    rows = np.array(list(scored.tallies.values()), dtype=np.float64)
    if not len(rows):
        raise DataError(f"{scored.name}: no row was scored", "see what was left out, and mend it")
    # Paired with having nothing right, the difference is the number itself.
    nothing = rows * (0.0, 1.0)
    value, low, high = paired_rates(nothing, rows).difference
    return Figure(
        name=scored.name, unit=scored.unit, group=group, judge=judge, value=value, low=low, high=high, n=len(rows)
    )


def evidence(before: Sequence[Scored], after: Sequence[Scored], group: str, judge: str) -> list[Evidence]:
    """The same numbers for two models, on the rows that both have, paired row by row."""
    return [
        compare(
            first.name,
            first.unit,
            judge,
            {row: [tally] for row, tally in first.tallies.items()},
            {row: [tally] for row, tally in second.tallies.items()},
            better="higher",
            group=group,
        )
        for first, second in zip(before, after, strict=True)
    ]
