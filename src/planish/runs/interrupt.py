"""Ctrl+C: the first lets the work at hand be finished and saved, the second stops at once."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import ClassVar, Self

from planish.errors import PlanishError
from planish.runs.layout import resume_command


class Interrupted(PlanishError):  # noqa: N818 - it says what the user did, nothing went wrong
    """The user stopped a run; all that was finished is saved."""

    exit_code = 130

    def __init__(self, folder: Path) -> None:
        super().__init__(f"interrupted; {folder} keeps what was finished", resume_command(folder))


class InterruptFlag:
    """Set by the first Ctrl+C while it is installed; `tell` is called at that moment, inside the signal handler.

    What takes long and can stop half way, without knowing of the run that it is part of, looks at the one `installed`.
    """

    installed: ClassVar["InterruptFlag | None"] = None

    def __init__(self, folder: Path, tell: Callable[[], None]) -> None:
        self.is_set = False
        self._folder = folder
        self._tell = tell

    def stop_if_set(self) -> None:
        """Stop the run.

        Raises:
            Interrupted: it is to stop.
        """
        if self.is_set:
            raise Interrupted(self._folder)

    def __enter__(self) -> Self:
        """Take Ctrl+C over. Outside the main thread, where Python delivers no signals, nothing is done."""
        self._is_installed = threading.current_thread() is threading.main_thread()
        if self._is_installed:
            self._before = signal.signal(signal.SIGINT, self._handle)
            InterruptFlag.installed = self
        return self

    def __exit__(self, *_: object) -> None:
        """Give Ctrl+C back to whoever had it."""
        if self._is_installed:
            InterruptFlag.installed = None
            # None stands for a handler that was not set from Python, and cannot be set again from there.
            signal.signal(signal.SIGINT, signal.SIG_DFL if self._before is None else self._before)

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True
        self._tell()
