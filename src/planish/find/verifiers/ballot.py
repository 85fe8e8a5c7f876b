"""One vote for each behaviour, however many verifiers share it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from planish.find.verifiers.fingerprint import Says
from planish.find.verifiers.verifier import Case


class Voter(NamedTuple):
    """What a cluster of verifiers says, and how much that counts."""

    says: Says
    weight: float


class Ballot(NamedTuple):
    """All voters."""

    voters: tuple[Voter, ...]

    def share(self, place: int) -> float | None:
        """The share of the votes for the text at a place passing; None where nobody says anything that counts."""
        heard = [(voter.says[place], voter.weight) for voter in self.voters if voter.says[place] is not None]
        total = sum(weight for _, weight in heard)
        return sum(weight for said, weight in heard if said) / total if total else None


def ballot(behaviours: Sequence[Says], cases: Sequence[Case], places: Sequence[int]) -> Ballot:
    """The voters, by how well they know what others say of the cases.

    The weight is the logarithm of the odds of being right, none below even odds: what a vote is worth when voters
    err independently.

    Args:
        behaviours: each once.
        cases: what is said of texts.
        places: of the cases' texts.

    Source: Nitzan and Paroush, Optimal decision rules in uncertain dichotomous choice situations (1982).
    """
    return Ballot(tuple(Voter(says, _weight(says, cases, places)) for says in behaviours))


def _weight(says: Says, cases: Sequence[Case], places: Sequence[int]) -> float:
    said = [(says[place], case.holds) for case, place in zip(cases, places, strict=True)]
    right = sum(answer == holds for answer, holds in said)
    wrong = sum(answer is not None and answer != holds for answer, holds in said)
    return max(0.0, math.log((right + 1) / (wrong + 1)))
