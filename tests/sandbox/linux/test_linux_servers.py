"""Fork servers come and go; jobs and their answers do not."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from planish.errors import PlanishError
from planish.sandbox.job import Answer, Job, Limits
from planish.sandbox.linux import LinuxSandbox, fork_server
from planish.sandbox.linux.fork_server import ForkServer, ServerLostError
from planish.sandbox.linux.frame import ENDING, End, Ending
from planish.sandbox.linux.sandbox import PROBE

pytestmark = pytest.mark.skipif(bool(LinuxSandbox.missing()), reason=f"this machine lacks {LinuxSandbox.missing()}")

LIMITS = Limits(call_s=0.5, memory_mib=64)
JOBS = [Job(f"def evaluate(response):\n    return '{k}' in response\n", (str(k), "x", str(k))) for k in range(60)]
T = TypeVar("T")
LOOP = b'{"nonce": "", "source": "while True: pass", "texts": [""]}'
ANSWERS = [[Answer("pass"), Answer("fail"), Answer("pass")]] * len(JOBS)


def processes(sandbox: LinuxSandbox) -> list[int]:
    return [server.process.pid for server in sandbox._servers]


def test_servers_killed_between_runs_are_replaced() -> None:
    with LinuxSandbox(LIMITS) as sandbox:
        killed = processes(sandbox)
        for process in killed:
            os.kill(process, signal.SIGKILL)
        assert sandbox.run(JOBS) == ANSWERS
        assert not set(killed) & set(processes(sandbox))


@pytest.mark.parametrize("moment", ["before it is asked", "before it answers", "amid its answer"])
def test_servers_killed_while_they_work_lose_nothing(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    # Every fifth job loses the server that it is given first.
    asked, doomed, killed = {PROBE.source}, set[int](), set[int]()
    ask, read = ForkServer.ask, ForkServer._read

    def kill_at(server: ForkServer, now: str) -> None:
        if now == moment and server.process.pid in doomed:
            doomed.discard(server.process.pid)
            killed.add(server.process.pid)
            os.kill(server.process.pid, signal.SIGKILL)

    def doom_and_ask(server: ForkServer, request: bytes, texts: int) -> Ending:
        source = json.loads(request)["source"]
        if source not in asked:
            asked.add(source)
            if len(asked) % 5 == 0:
                doomed.add(server.process.pid)
        kill_at(server, "before it is asked")
        return ask(server, request, texts)

    def kill_and_read(server: ForkServer, length: int) -> bytes:
        kill_at(server, "before it answers" if length == ENDING.size else "amid its answer")
        return read(server, length)

    monkeypatch.setattr(ForkServer, "ask", doom_and_ask)
    monkeypatch.setattr(ForkServer, "_read", kill_and_read)
    with LinuxSandbox(LIMITS) as sandbox:
        assert sandbox.run(JOBS) == ANSWERS
        assert sandbox.run(JOBS) == ANSWERS
        assert len(killed) >= len(JOBS) // 5
        assert not killed & set(processes(sandbox))


def test_a_server_that_falls_silent_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server, "SILENCE_S", 3.0)
    with LinuxSandbox(LIMITS) as sandbox:
        stopped = processes(sandbox)[0]
        os.kill(stopped, signal.SIGSTOP)
        assert sandbox.run(JOBS) == ANSWERS
        assert stopped not in processes(sandbox)


def test_a_server_that_only_works_long_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server, "SILENCE_S", 3.0)
    busy = Job("def evaluate(response):\n    for _ in range(10**7): pass\n    return True\n", ("",) * 8)
    with LinuxSandbox(Limits(call_s=60)) as sandbox:
        before = processes(sandbox)
        assert sandbox.run([busy]) == [[Answer("pass")] * 8]
        assert set(processes(sandbox)) == set(before)


def test_a_job_that_costs_two_servers_is_an_error_and_the_others_keep_their_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harmful = Job("def evaluate(response):\n    return 'harm' == response\n", ("harm",))
    with LinuxSandbox(LIMITS) as sandbox:
        ask = ForkServer.ask

        def harmed(server: ForkServer, request: bytes, texts: int) -> Ending:
            if b"harm" in request:
                server.kill()
            return ask(server, request, texts)

        monkeypatch.setattr(ForkServer, "ask", harmed)
        found = sandbox.run([*JOBS[:20], harmful, *JOBS[20:]])
    assert [answer.verdict for answer in found.pop(20)] == ["error"]
    assert found == ANSWERS


def test_a_child_dies_with_its_server() -> None:
    with LinuxSandbox(Limits(call_s=600)) as sandbox:
        server = next(iter(sandbox._servers))
        asking = threading.Thread(target=ask_and_lose, args=(server,))
        asking.start()
        listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        child = until(lambda: listed.read_text().split())[0]
        until(lambda: Path(f"/proc/{child}/status").read_text().partition("Seccomp:\t")[2][0] == "2")
        server.kill()
        asking.join()
        until(lambda: not Path(f"/proc/{child}").exists())


def ask_and_lose(server: ForkServer) -> None:
    with pytest.raises(ServerLostError):
        server.ask(LOOP, 1)


def until(found: Callable[[], T]) -> T:
    """What is found as soon as it is something."""
    for _ in range(1000):
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError("it never came")


@pytest.mark.parametrize(
    "said",
    [
        lambda length: b"\xff" * length,
        lambda length: ENDING.pack(End.replied, 0, 1 << 60)[:length],
        lambda length: ENDING.pack(99, 0, 0)[:length],
    ],
)
def test_a_server_that_says_what_none_says_is_lost(
    monkeypatch: pytest.MonkeyPatch, said: Callable[[int], bytes]
) -> None:
    with LinuxSandbox(LIMITS) as sandbox:
        monkeypatch.setattr(ForkServer, "_read", lambda _, length: said(length))
        with pytest.raises(ServerLostError):
            next(iter(sandbox._servers)).ask(b"{}", 1)
        monkeypatch.undo()


def test_a_sandbox_that_cannot_confine_does_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server, "LAUNCH", "raise SystemExit(1)")
    sandbox = LinuxSandbox(LIMITS)
    with pytest.raises(PlanishError, match="does not start here"):
        sandbox.__enter__()
    assert not sandbox._servers
