"""Which answers to one prompt to set against each other twice, so that only what is asked for decides between them."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple


class Crossing(NamedTuple):
    """Two answers, by their places, and for each a constraint that it keeps and the other one breaks."""

    first: int
    second: int
    for_first: str
    for_second: str


def crossings(
    kept: Sequence[frozenset[str]], most_uses: int, uses: Counter[str], draws: random.Random
) -> list[Crossing]:
    """Couples of answers to one prompt.

    Args:
        kept: of each answer the constraints that it keeps.
        most_uses: in so many couples an answer may stand.
        uses: how often each constraint was taken so far; the rarest is taken next, and counted.
        draws: the order of the couples, and what is taken where several are as rare.
    """
    found: list[Crossing] = []
    taken: Counter[int] = Counter()
    couples = list(combinations(range(len(kept)), 2))
    draws.shuffle(couples)
    for first, second in couples:
        own = [sorted(kept[first] - kept[second]), sorted(kept[second] - kept[first])]
        if all(own) and max(taken[first], taken[second]) < most_uses:
            rarest = [min(names, key=lambda name: (uses[name], draws.random())) for names in own]
            uses.update(rarest)
            taken.update((first, second))
            found.append(Crossing(first, second, *rarest))
    return found
