"""The split of prompts into those that are used and those that only judge."""

from collections.abc import Sequence
from typing import NamedTuple

from planish.errors import DataError
from planish.records.prompt import Prompt

# Every third prompt is held out.
HELD_OUT_EVERY = 3


class Split(NamedTuple):
    """Prompts to find and train with, and prompts to judge with; no prompt is in both."""

    used: list[Prompt]
    held_out: list[Prompt]


def split_prompts(prompts: Sequence[Prompt]) -> Split:
    """Hold out every third of the distinct prompts, counted in the order of their ids.

    An id is a hash of the content, so which prompts are held out depends neither on their order nor on a pattern in it.

    Raises:
        DataError: there are fewer than three distinct prompts.
    """
    distinct = {prompt.id: prompt for prompt in prompts}
    if len(distinct) < HELD_OUT_EVERY:
        raise DataError(
            f"{len(distinct)} distinct prompts are too few: one in {HELD_OUT_EVERY} is held out to judge by",
            "give more prompts; 30 or more make the intervals narrow",
        )
    kept = set(sorted(distinct)[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
    return Split(
        [prompt for prompt in distinct.values() if prompt.id not in kept],
        [prompt for prompt in distinct.values() if prompt.id in kept],
    )
