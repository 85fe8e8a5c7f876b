"""Attacks a sandbox, and looks from outside whether it held."""

import os
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from planish.sandbox.attack_list import ATTACKS, Attack
from planish.sandbox.job import Answer, Job
from planish.sandbox.sandbox import Sandbox

VARIABLE = "PLANISH_CANARY"
SECRET = "canary"
SOUND = Job("def evaluate(response):\n    return response == 'yes'\n", ("yes", "no"))
DETAIL_CHARS = 200
ADOPT_ORPHANS = 36  # prctl's PR_SET_CHILD_SUBREAPER


class Contained(NamedTuple):
    """Whether a sandbox held against an attack, and if not what was harmed."""

    name: str
    tries: str
    contained: bool
    detail: str


def attack(sandbox: Sandbox) -> list[Contained]:
    """What came of every attack on a sandbox that is not open yet; the last line is of processes that outlive it."""
    with _Canaries() as canaries, _adopted_orphans():
        before = _children()
        with sandbox:
            found = [_attacked(sandbox, one, canaries) for one in ATTACKS]
        survivors = _children() - before
        for survivor in survivors:
            with suppress(OSError):
                os.kill(survivor, 9)
                os.waitpid(survivor, 0)
    detail = f"{len(survivors)} processes are left" if survivors else ""
    return [*found, Contained("survivors", "to outlive the sandbox", not survivors, detail)]


class _Canaries:
    """A file, a folder, a variable of the environment and an open port that nobody may touch."""

    def __enter__(self) -> "_Canaries":
        self._folder = TemporaryDirectory(prefix="planish-canary-")
        self.secret.write_text(SECRET)
        os.environ[VARIABLE] = SECRET
        self._listeners = [socket.socket(type=kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        self._listeners[0].bind(("127.0.0.1", 0))
        self._listeners[0].listen()
        self._listeners[1].bind(("127.0.0.1", self.port))
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.close()
        del os.environ[VARIABLE]
        self._folder.cleanup()

    @property
    def secret(self) -> Path:
        return Path(self._folder.name) / "secret"

    @property
    def port(self) -> int:
        return int(self._listeners[0].getsockname()[1])

    def aimed(self, source: str) -> str:
        """An attack with the true names of what is here."""
        names = {"SECRET": str(self.secret), "FOLDER": self._folder.name, "PORT": str(self.port), "VARIABLE": VARIABLE}
        for name, value in names.items():
            source = source.replace(name, value)
        return source

    def harm(self) -> str:
        """What was touched, or an empty string."""
        if os.listdir(self._folder.name) != [self.secret.name] or self.secret.read_text() != SECRET:
            return "files were changed"
        return "it reached the network" if select.select(self._listeners, [], [], 0)[0] else ""


def _attacked(sandbox: Sandbox, attack: Attack, canaries: _Canaries) -> Contained:
    answers, *after = sandbox.run([Job(canaries.aimed(attack.source), ("",)), SOUND])
    if sandbox.run([SOUND]) != [[Answer("pass"), Answer("fail")]] or after != [[Answer("pass"), Answer("fail")]]:
        harm = "it harmed other verifiers"
    else:
        harm = canaries.harm() or _success(answers)
    return Contained(attack.name, attack.tries, not harm, harm)


def _success(answers: list[Answer]) -> str:
    """What the answers of an attack tell of its success, or an empty string."""
    if len(answers) != 1:
        return "its answers are not one for each text"
    answer = answers[0]
    if answer.verdict in {"pass", "nondeterministic"}:
        return f"it came through: {answer.verdict} {answer.detail}".strip()
    writable = answer.detail.encode("utf-8", "replace").decode() == answer.detail
    return "" if writable and len(answer.detail) <= DETAIL_CHARS else "its detail cannot be written down"


@contextmanager
def _adopted_orphans() -> Iterator[None]:
    """On Linux, processes whose parents end become children of this one meanwhile."""
    if sys.platform != "linux":
        yield
        return
    import ctypes

    control = ctypes.CDLL(None).prctl
    control(ADOPT_ORPHANS, 1, 0, 0, 0)
    try:
        yield
    finally:
        control(ADOPT_ORPHANS, 0, 0, 0, 0)


def _children() -> set[int]:
    """The children of this process that run, on Linux."""
    running = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        for child in map(int, listing.read_text().split()):
            with suppress(ChildProcessError, ProcessLookupError):
                if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    running.add(child)
    return running
