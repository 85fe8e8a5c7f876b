"""How verifiers behave: what each of them says of the same texts."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from planish.find.verifiers.verifier import Reason
from planish.sandbox.job import Answer

# Of each text whether it passes; None where that could not be said, which is neither.
Says = tuple[bool | None, ...]
SPOKEN = {"pass": True, "fail": False}
# Reasons, by the verdict that says nothing.
SILENCES = {"error": "errors", "timeout": "timeouts", "nondeterministic": "nondeterministic"}


class Fingerprint(NamedTuple):
    """What a verifier says, how often it says nothing and in which way, and how many booleans were spelled as texts."""

    says: Says
    silences: Counter[str]
    detail: str
    repaired: int

    def fault(self, most_silent: float) -> Reason | None:
        """Why a verifier that behaves so is of no use; None where it is of some.

        Args:
            most_silent: the share of texts of which it may say nothing. One that says now this, now that, may never.
        """
        count = sum(self.silences.values())
        if count > most_silent * len(self.says) or self.silences["nondeterministic"]:
            verdict = "nondeterministic" if self.silences["nondeterministic"] else self.silences.most_common(1)[0][0]
            words = f"it says nothing of {count} of {len(self.says)} texts: {self.detail or verdict}"
            return Reason(code=SILENCES[verdict], words=words)
        heard = {said for said in self.says if said is not None}
        if len(heard) < 2:
            always = f"{heard.pop()} to" if heard else "nothing of"
            return Reason(code="constant", words=f"it says {always} every one of {len(self.says)} texts")
        return None


def fingerprint(answers: Sequence[Answer]) -> Fingerprint:
    """What is behind the answers of one verifier."""
    silent = [answer for answer in answers if answer.verdict not in SPOKEN]
    return Fingerprint(
        says=tuple(SPOKEN.get(answer.verdict) for answer in answers),
        silences=Counter(answer.verdict for answer in silent),
        detail=silent[0].detail if silent else "",
        repaired=sum(answer.repaired for answer in answers),
    )


def clusters(behaviours: Sequence[Hashable]) -> list[int]:
    """For each behaviour the number of its cluster: equal ones have the same, in the order of their first."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(behaviour, len(numbers)) for behaviour in behaviours]


def likeness(first: Says, second: Says) -> float:
    """The share of texts of which two say the same, among those of which both say something."""
    both = [(one, other) for one, other in zip(first, second, strict=True) if one is not None and other is not None]
    return sum(one == other for one, other in both) / len(both) if both else 0.0


def agreement(says: Sequence[bool | None], truth: Sequence[bool]) -> float:
    """The share of texts of which it says what is true; silence is not right."""
    return sum(said == true for said, true in zip(says, truth, strict=True)) / len(truth) if truth else 0.0
