"""Some beams of one prompt that compete with one another, and the texts that came of them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from planish.steer.row import Row


@dataclass
class Beam:
    """A text on its way.

    `score` is the sum of its tokens' log-probabilities, `length` how many were taken, `place` its row in the caches: of
    one that was just taken, its parent's.
    """

    row: Row
    score: float
    length: int
    place: int

    def value(self, length_penalty: float) -> float:
        """What finished texts are ranked by."""
        return self.score / math.pow(self.length, length_penalty)


class BeamGroup:
    """Up to `width` beams. A group of one is greedy search: it ends where its likeliest token ends it."""

    def __init__(self, row: Row, place: int, width: int, length_penalty: float) -> None:
        self.width = width
        self.length_penalty = length_penalty
        self.live = [Beam(row, 0.0, 0, place)]
        self.finished: list[Beam] = []

    def advance(self, candidates: Iterable[Beam]) -> None:
        """Go on with the best of these beams of one token more, which come best first, and put aside what has ended.

        An ended text counts only where it would have had a place among the beams. The group is done, and nothing is
        left `live`, when none of its beams is better, as it stands, than the worst of enough finished texts.
        """
        live: list[Beam] = []
        for rank, beam in enumerate(candidates):
            if beam.row.finish is None:
                live.append(beam)
            elif rank < self.width:
                self.finished.append(beam)
            is_last = beam.length == beam.row.limit
            if len(live) == self.width or (is_last and rank + 1 == self.width):
                break
        self.live = live
        self.finished.sort(key=self._value, reverse=True)
        del self.finished[self.width :]
        if len(self.finished) == self.width and live:
            best = max(map(self._value, live))
            if self.width == 1 or best <= self._value(self.finished[-1]):
                self.live = []

    def _value(self, beam: Beam) -> float:
        return beam.value(self.length_penalty)
