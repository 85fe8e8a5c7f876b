"""What happens in a run, as it happens: a line a time in `events.jsonl`."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from planish.runs.secret import redact


@dataclass(frozen=True)
class RunEvent:
    """Something that happened: `time` in UTC (ISO 8601), the stage it happened in ("" outside), and its figures.

    A run says `start`, for every stage `begin`, `block`, `end`, and last `finish`, `stopped` or `failed`; and
    `interrupt` at the first Ctrl+C. A recipe adds kinds of its own.
    """

    time: str
    kind: str
    stage: str
    figures: Mapping[str, Any]


class EventLog:
    """Appends to `events.jsonl`. Not synced: a power cut may cost the last lines, and no work depends on them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            text = path.read_bytes()
            os.truncate(path, text.rfind(b"\n") + 1)

    def append(self, kind: str, stage: str, figures: Mapping[str, Any]) -> RunEvent:
        """Write one event, its secrets redacted."""
        event = RunEvent(now(), kind, stage, redact(figures))
        line = json.dumps(asdict(event), ensure_ascii=False, default=str) + "\n"
        # One unbuffered write, so that a signal handler may write too.
        with self.path.open("ab", buffering=0) as file:
            file.write(line.encode("utf-8", errors="replace"))
        return event


def last_event(path: Path) -> RunEvent | None:
    """The newest whole event of a log; None where there is none."""
    if not path.is_file():
        return None
    for line in reversed(path.read_bytes().split(b"\n")[:-1]):
        try:
            return RunEvent(**json.loads(line))
        except (ValueError, TypeError):
            continue
    return None


def now() -> str:
    """This moment, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
