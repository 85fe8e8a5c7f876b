"""What a run says while it goes on, on standard error."""

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planish.runs.event import RunEvent


class Progress:
    """A line a stage; where there is a terminal, one that is written over while the stage goes on."""

    def __init__(self, title: str = "", *, quiet: bool = False) -> None:
        self._title = title
        self._quiet = quiet
        self._expected = 0
        self._began = time.monotonic()
        self._done_before = 0
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, event: "RunEvent") -> None:
        """Show one event."""
        if self._quiet:
            return
        rows = int(event.figures.get("rows", 0))
        if event.kind == "start" and self._title:
            self._write(self._title, stays=True)
        elif event.kind == "expect":
            self._expected = rows
        elif event.kind == "begin":
            self._began, self._done_before = time.monotonic(), rows
            self._write(f"{event.stage} …", stays=not self._is_terminal)
        elif event.kind == "block" and self._expected > rows and self._is_terminal:
            self._write(f"{event.stage} {self._pace(rows)}", stays=False)
        elif event.kind == "end":
            count = f"{rows} rows, " if rows else ""
            self._write(f"{event.stage}: {count}{time.monotonic() - self._began:.0f} s", stays=True)
            self._expected = 0
        elif event.kind == "interrupt":
            self._write("finishing what is at hand; Ctrl+C again stops at once", stays=True)

    def _pace(self, rows: int) -> str:
        seconds = max(1e-6, time.monotonic() - self._began)
        per_second = (rows - self._done_before) / seconds
        left = (self._expected - rows) / per_second if per_second else 0
        return f"{rows} of {self._expected}, {per_second:.1f} a second, {left:.0f} s left"

    def _write(self, text: str, *, stays: bool) -> None:
        start, end = ("\r\x1b[K", "\n" if stays else "") if self._is_terminal else ("", "\n")
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)
