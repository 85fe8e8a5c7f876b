"""The verifiers of one instruction while they are vetted."""

from collections.abc import Sequence
from typing import Any

from planish.find.verifiers.fingerprint import Fingerprint, Says, clusters
from planish.find.verifiers.screening import screen
from planish.find.verifiers.verifier import Verifier


class Trials:
    """What became of each verifier so far, and what those that ran say of the probes."""

    def __init__(self, verifiers: Sequence[Verifier], most_chars: int) -> None:
        self.verifiers = list(verifiers)
        self.says: dict[int, Says] = {}
        seen: set[str] = set()
        for place, verifier in enumerate(verifiers):
            if fault := screen(verifier.source, most_chars):
                self.reject(place, fault.code, fault.words)
            elif verifier.id in seen:
                self.reject(place, "duplicate", "its source is that of another one")
            seen.add(verifier.id)

    @property
    def standing(self) -> list[int]:
        """The places of those that nothing is known against."""
        return [place for place, verifier in enumerate(self.verifiers) if verifier.status != "rejected"]

    def note(self, place: int, **found: Any) -> None:
        """Write down something that was found out about one."""
        self.verifiers[place] = self.verifiers[place].model_copy(update=found)

    def reject(self, place: int, code: str, words: str) -> None:
        """Take one out."""
        self.verifiers[place] = self.verifiers[place].rejected(code, words)

    def hear(self, place: int, answers: Fingerprint, most_silent: float) -> None:
        """Take in what one says of the probes."""
        self.says[place] = answers.says
        if answers.repaired:
            self.note(place, repairs={**self.verifiers[place].repairs, "answer_as_text": answers.repaired})
        if fault := answers.fault(most_silent):
            self.reject(place, fault.code, fault.words)

    def number(self) -> None:
        """Note with each that stands the number of its behaviour."""
        standing = self.standing
        for place, number in zip(standing, clusters([self.says[place] for place in standing]), strict=True):
            self.note(place, cluster=number)

    def behaviours(self) -> list[Says]:
        """What those that stand say, each behaviour once."""
        return list(dict.fromkeys(self.says[place] for place in self.standing))

    def outcome(self) -> list[Verifier]:
        """All of them; what stands is kept."""
        for place in self.standing:
            self.note(place, status="kept", reason=None)
        return self.verifiers
