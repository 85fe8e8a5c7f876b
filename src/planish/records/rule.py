"""What must not be written."""

from typing import Literal

from planish.records.record import Record


class BanRule(Record):
    """One thing that is banned, and why."""

    kind: Literal["phrase"] = "phrase"
    text: str
    reason: str = ""
