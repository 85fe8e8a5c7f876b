"""A server that planish starts, and that never outlives it."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Self
from urllib.parse import urlsplit

from planish.errors import MissingPackageError, ModelError, UsageError
from planish.models.connection import Connection, base_of
from planish.runs.secret import redact

POLL_S = 0.2
STOP_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 1.0
SHOWN_LINES, SHOWN_CHARS = 5, 600
# Run in the child before the command takes its place: on Linux the kernel ends it with us, even if we are killed. In a
# child of its own, since code between fork and exec may lock up a process with threads.
LAUNCH = """
import os, signal, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != parent:
    sys.exit(1)
try:
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"cannot start {command[0]}: {error.strerror}")
"""


class ServerProcess:
    """Runs a command that serves at a URL, from `with` to its end.

    It is stopped with all its children, whether the block ends, fails, or is interrupted; by SIGTERM; and on Linux when
    this process is killed (there only the server itself is told, and the thread that started it must live as long).

    Args:
        command: and its arguments; no keys, which any user of the machine can read there.
        url: where it will serve.
        log_file: takes all that it prints.
        ready_timeout_s: how long it may take to load its model.
        env: environment variables for it, beside our own: this is the way for keys.
    """

    def __init__(
        self,
        command: Sequence[str],
        url: str,
        log_file: Path,
        ready_timeout_s: float = 900.0,
        env: Mapping[str, str] | None = None,
    ) -> None:
        _refuse_keys(command)
        self.url = base_of(url)
        self.log_file = log_file
        self._command = list(command)
        self._ready_timeout_s = ready_timeout_s
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._has_termination = False

    def __enter__(self) -> Self:
        """Start it, and wait until it answers.

        Raises:
            ModelError: something else has its port, it ends, or it does not answer in time.
        """
        parts = urlsplit(self.url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        if _is_taken(str(parts.hostname), port):
            raise ModelError(f"port {port} is in use, and not for a server that could be used", "give another port")
        self._take_termination()
        atexit.register(self.stop)
        try:
            self._start()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it and all its children; the second time, nothing is done."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is not None:
            _signal_group(process.pid, signal.SIGTERM)
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_TIMEOUT_S)
            finally:
                # What is left of the group, if only a child.
                _signal_group(process.pid, signal.SIGKILL)
                process.wait()
        self._give_termination_back()

    def _start(self) -> None:
        launch = [sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid()), *self._command]
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own command, and no shell
                launch, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env, start_new_session=True
            )

    def _wait_until_ready(self) -> None:
        connection = Connection(self.url, timeout_s=CONNECT_TIMEOUT_S)
        deadline = time.monotonic() + self._ready_timeout_s
        while not connection.is_ready():
            if self._process is not None and (code := self._process.poll()) is not None:
                raise ModelError(f"the server ended with exit code {code}: {self._last_lines()}", self._see_log)
            if time.monotonic() > deadline:
                raise ModelError(
                    f"the server did not answer within {self._ready_timeout_s:g} s: {self._last_lines()}", self._see_log
                )
            time.sleep(POLL_S)

    @property
    def _see_log(self) -> str:
        return f"all it said is in {self.log_file}"

    def _last_lines(self) -> str:
        lines = [line.strip() for line in self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()]
        last = " / ".join([line for line in lines if line][-SHOWN_LINES:])
        return str(redact({"log": last[-SHOWN_CHARS:]})["log"]) or "it said nothing"

    def _take_termination(self) -> None:
        """Let SIGTERM end this process as an exception does, if it would else end it on the spot."""
        self._has_termination = (
            threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if self._has_termination:
            signal.signal(signal.SIGTERM, _exit)

    def _give_termination_back(self) -> None:
        if self._has_termination and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._has_termination = False


@contextmanager
def reach(
    url: str,
    command: Sequence[str],
    log_file: Path,
    ready_timeout_s: float = 900.0,
    env: Mapping[str, str] | None = None,
) -> Iterator[ServerProcess | None]:
    """The server that answers at a URL already (None: it is not ours, and is left as it is), else one of our own.

    Raises:
        ModelError: see `ServerProcess`.
    """
    if Connection(url, timeout_s=CONNECT_TIMEOUT_S).is_ready():
        yield None
        return
    with ServerProcess(command, url, log_file, ready_timeout_s, env) as process:
        yield process


def vllm_command(model: str, port: int, *extra: str) -> list[str]:
    """What serves a model by vLLM on loopback; `extra` are more of its arguments.

    Raises:
        MissingPackageError: vLLM is not installed.
    """
    if find_spec("vllm") is None:
        raise MissingPackageError("vllm")
    server = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    return [*server, "--model", model, "--host", "127.0.0.1", "--port", str(port), *extra]


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _refuse_keys(command: Sequence[str]) -> None:
    flags = [part.split("=", 1) for part in command if part.startswith("--") and "=" in part]
    pairs = [*flags, *(list(pair) for pair in pairwise(command) if pair[0].startswith("--"))]
    named = {flag.lstrip("-"): value for flag, value in pairs}
    if redact(named) != named or redact({"command": list(command)}) != {"command": list(command)}:
        raise UsageError(
            "the command that starts the server holds a key, which all users of this machine could read",
            "leave it out, and set the variable that the server reads: VLLM_API_KEY, LLAMA_API_KEY, HF_TOKEN",
        )


def _is_taken(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
