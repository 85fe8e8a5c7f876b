"""A ban list that somebody goes through rule by rule; what was answered stays answered, whatever happens."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from planish.errors import UsageError
from planish.records.record import Record, read_records
from planish.records.rule import BanRule
from planish.runs.disk import replace_text
from planish.text.pattern import Pattern

# What is known of the review of list.jsonl stands in list.review.jsonl.
SUFFIX = ".review.jsonl"
LIST_SUFFIX = ".jsonl"

Answer = Literal["keep", "drop", "soften"]


class Reviewed(Record):
    """A rule as it was, and what somebody said of it: None before anybody has. `strength` is that of a softened one."""

    rule: BanRule
    answer: Answer | None = None
    strength: float | None = None

    @property
    def outcome(self) -> BanRule | None:
        """The rule as it is now; None where it was dropped."""
        if self.answer == "drop":
            return None
        return self.rule.model_copy(update={"strength": self.strength}) if self.answer == "soften" else self.rule


class Review:
    """The review of a list, which goes on where it was.

    After every answer the list is written, and behind it what was answered: each file as a whole at once. The list is
    right in all that it says: a rule that was taken out of it by hand counts as dropped, and one that was put in or
    changed is not reviewed yet.

    Raises:
        DataError: the file is not there, or a line is no rule.
        UsageError: it is no JSONL, which alone holds reasons and strengths.
    """

    def __init__(self, path: Path) -> None:
        if path.is_file() and path.suffix.lower() != LIST_SUFFIX:
            target = path.with_suffix(LIST_SUFFIX)
            raise UsageError(
                f"{path} does not hold reasons and strengths",
                f"make a list that does: planish bans convert {path} {target}",
            )
        self.path = path
        self.log = path.with_suffix(SUFFIX)
        known = read_records(self.log, Reviewed) if self.log.exists() else []
        self.entries = _in_step(read_records(path, BanRule), known)

    def answer(self, place: int, answer: Answer, strength: float | None = None) -> None:
        """Answer for the rule at a place; on return the answer is on the disk.

        Raises:
            UsageError: a strength is not above 0 and at most 1.
        """
        if answer == "soften" and not (strength is not None and 0 < strength <= 1):
            raise UsageError(f"a strength of {strength} is none", "give one above 0, at most 1, such as 0.5")
        self.entries[place] = Reviewed(rule=self.entries[place].rule, answer=answer, strength=strength)
        self._save()

    def first_open(self) -> int | None:
        """The place of the first rule that nobody has answered for."""
        return next((place for place, entry in enumerate(self.entries) if entry.answer is None), None)

    def places(self, text: str) -> list[int]:
        """Where the rules with this text are.

        Raises:
            UsageError: there is none.
        """
        found = [place for place, entry in enumerate(self.entries) if entry.rule.text == text]
        if not found:
            raise UsageError(f"{self.path} has no rule {text!r}", "write it as the list has it")
        return found

    def counts(self) -> dict[str, int]:
        """How many rules have which answer; those without one are `open`."""
        counts = Counter(entry.answer or "open" for entry in self.entries)
        return {answer: counts[answer] for answer in ("keep", "drop", "soften", "open")}

    def _save(self) -> None:
        # The list first: what it says is right, and it says all but which of its rules were looked at.
        _replace(self.path, [rule for entry in self.entries if (rule := entry.outcome) is not None])
        _replace(self.log, self.entries)


def _replace(path: Path, records: Sequence[Record]) -> None:
    try:
        replace_text(path, "".join(record.model_dump_json() + "\n" for record in records))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "copy the list to a folder that can") from error


def _in_step(rules: Sequence[BanRule], known: Sequence[Reviewed]) -> list[Reviewed]:
    """What is known of the rules of a list: in the order of what is known, then those of which nothing is."""
    waiting = Counter(rules)
    stays = []
    for entry in known:
        rule = entry.outcome
        stays.append(rule is not None and waiting[rule] > 0)
        if rule is not None and stays[-1]:
            waiting[rule] -= 1
    changed: dict[Pattern, list[BanRule]] = {}
    for rule in waiting.elements():
        changed.setdefault(rule.pattern, []).append(rule)
    entries = []
    for entry, stayed in zip(known, stays, strict=True):
        if stayed:
            entries.append(entry)
        elif own := changed.get(entry.rule.pattern):
            entries.append(Reviewed(rule=own.pop(0)))
        else:
            entries.append(Reviewed(rule=entry.rule, answer="drop"))
    return [*entries, *(Reviewed(rule=rule) for own in changed.values() for rule in own)]
