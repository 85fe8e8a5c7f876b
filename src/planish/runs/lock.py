"""The lock of a run folder: one process writes at a time."""

import fcntl
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from planish.errors import UsageError
from planish.runs.disk import explain_refusal, replace_text
from planish.runs.layout import LOCK


class Holder(BaseModel):
    """The process that writes. `born` tells it from a later process with the same number; "" where unknown."""

    model_config = ConfigDict(frozen=True)

    pid: int
    host: str
    born: str = ""

    @property
    def may_live(self) -> bool:
        """A process of another machine cannot be seen from here: it counts as alive."""
        if self.host != platform.node():
            return True
        born = _born(self.pid)
        return born is not None and self.born in {"", born}


class Lock:
    """A file with its holder's process number. A lock whose holder is dead is taken over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_held = False

    def take(self) -> None:
        """Become the one writer.

        Raises:
            UsageError: another process writes this run, or the folder cannot be written.
        """
        with explain_refusal(self.folder):
            # Of two processes that find the same dead holder only one may take over. A file system without `flock`
            # leaves that one race open.
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                with suppress(OSError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._refuse_if_held()
                own = Holder(pid=os.getpid(), host=platform.node(), born=_born(os.getpid()) or "")
                replace_text(self.folder / LOCK, own.model_dump_json() + "\n")
            finally:
                os.close(descriptor)
        self.is_held = True

    def release(self) -> None:
        """Let others write."""
        (self.folder / LOCK).unlink(missing_ok=True)
        self.is_held = False

    def __enter__(self) -> Self:
        """Take it."""
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        """Release it."""
        self.release()

    def _refuse_if_held(self) -> None:
        holder = holder_of(self.folder)
        if holder is not None:
            elsewhere = "" if holder.host == platform.node() else f" on {holder.host}"
            raise UsageError(
                f"{self.folder} is being written by process {holder.pid}{elsewhere}",
                f"wait for it; if it has ended, delete {self.folder / LOCK}",
            )


def holder_of(folder: Path) -> Holder | None:
    """Who writes this run now; None where nobody does."""
    try:
        holder = Holder.model_validate_json((folder / LOCK).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None
    return holder if holder.may_live else None


def _born(pid: int) -> str | None:
    """When a process of this machine started, in clock ticks since boot: "" where unknown, None where it is dead."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # it lives, and is another user's
    except (OSError, OverflowError):
        return None
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return ""
    state, *figures = after_name.split()
    return None if state in {"Z", "X"} else figures[18]
