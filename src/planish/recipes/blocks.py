"""Stages that take things one after the other, so many in a block."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from planish.records.record import RecordType
from planish.runs.run import Run

Thing = TypeVar("Thing")


def rows_in_blocks(
    run: Run,
    stage: str,
    kind: type[RecordType],
    things: Sequence[Thing],
    make: Callable[[Sequence[Thing]], Sequence[RecordType]],
    size: int,
) -> list[RecordType]:
    """The rows that are made of things, saved whenever those of `size` things are there.

    Args:
        run: is open.
        stage: its name.
        kind: of the rows.
        things: the same whenever the run goes on.
        make: makes the rows of some of them, whatever the others are.
        size: things a block.
    """

    def blocks(first: int) -> Iterator[Sequence[RecordType]]:
        for start in range(first * size, len(things), size):
            yield make(things[start : start + size])

    return run.rows(stage, kind, blocks)
