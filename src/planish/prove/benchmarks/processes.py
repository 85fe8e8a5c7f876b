"""One benchmark in several processes, as `accelerate launch` starts them."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import gather_object

Row = TypeVar("Row")
Answer = TypeVar("Answer")

# Texts differ in length: the first process to end may wait for hours.
PATIENCE = timedelta(days=7)


def several() -> bool:
    """Whether there are other processes."""
    return int(PartialState(timeout=PATIENCE).num_processes) > 1


def own_device() -> str:
    """Where the model of this process belongs."""
    return str(PartialState(timeout=PATIENCE).device)


def share_out(rows: Sequence[Row], work: Callable[[Sequence[Row]], Sequence[Answer]]) -> list[Answer]:
    """An answer for every row, in order, in every process; each works on its own part of the rows alone."""
    state = PartialState(timeout=PATIENCE)
    mine = range(state.process_index, len(rows), state.num_processes)
    answers = work([rows[place] for place in mine]) if mine else []
    gathered = gather_object(list(zip(mine, answers, strict=True)))
    return [answer for _, answer in sorted(gathered, key=lambda placed: placed[0])]
