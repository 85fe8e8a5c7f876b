"""What the Linux sandbox answers, for verifiers that behave and for those that do not."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from planish.sandbox.job import Answer, Job, Limits
from planish.sandbox.linux import LinuxSandbox
from planish.sandbox.linux.sandbox import MOST_STOPS, Stop

pytestmark = pytest.mark.skipif(bool(LinuxSandbox.missing()), reason=f"this machine lacks {LinuxSandbox.missing()}")

LIMITS = Limits(call_s=0.3, memory_mib=64, output_bytes=1 << 16)
GOOD = Job("def evaluate(response):\n    return 'a' in response\n", ("a", "b"))
GOOD_ANSWERS = [Answer("pass"), Answer("fail")]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LinuxSandbox]:
    with LinuxSandbox(LIMITS) as opened:
        yield opened


def job(body: str, *texts: str) -> Job:
    """A verifier of these lines, and beside it what it may need."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    return Job(f"import json, os, re, sys, time\ndef evaluate(response):\n{indented}\n", texts or ("",))


def verdicts(sandbox: LinuxSandbox, asked: Job) -> list[str]:
    return [answer.verdict for answer in sandbox.run([asked])[0]]


def test_every_text_gets_the_verdict_that_plain_python_gives_in_order(sandbox: LinuxSandbox) -> None:
    texts = [("", "one", "ein Wörtchen\n", "🂡 x" * k, "\ud800", "x" * 10_000, "null\0") for k in range(40)]
    jobs = [job(f"return len(re.findall(r'\\w+', response)) > {k}", *texts[k]) for k in range(40)]
    expected = [["pass" if len(re.findall(r"\w+", text)) > k else "fail" for text in texts[k]] for k in range(40)]
    assert [[answer.verdict for answer in answers] for answers in sandbox.run(jobs)] == expected


def test_a_job_without_texts_has_no_answers_and_no_jobs_have_none(sandbox: LinuxSandbox) -> None:
    assert sandbox.run([Job(GOOD.source, ()), GOOD]) == [[], GOOD_ANSWERS]
    assert sandbox.run([]) == []


def test_the_modules_of_the_other_backend_can_be_imported(sandbox: LinuxSandbox) -> None:
    image = Path(__file__).parents[3] / "src" / "planish" / "sandbox" / "wasm_guest.py"
    lines = re.findall(r"^import ([\w.]+)$", image.read_text(), re.MULTILINE)
    assert "re" in lines
    source = "".join(f"import {module}\n" for module in lines)
    assert verdicts(sandbox, Job(f"{source}def evaluate(response):\n    return True\n", ("",))) == ["pass"]


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        "re.match('(a+)+b', 'a' * 64)",
        "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\nlock.acquire()",
    ],
)
def test_a_text_that_hangs_is_a_timeout_and_the_others_keep_their_answers(sandbox: LinuxSandbox, loop: str) -> None:
    hangs = (
        "if response == 'hang':\n" + "\n".join(f"    {line}" for line in loop.splitlines()) + "\nreturn 'a' in response"
    )
    assert verdicts(sandbox, job(hangs, "a", "hang", "b", "a")) == ["pass", "timeout", "fail", "pass"]


def test_a_loop_that_catches_everything_is_ended_from_outside(sandbox: LinuxSandbox) -> None:
    deaf = "import signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass"
    loop = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    assert verdicts(sandbox, job(f"{deaf}\n{loop}")) == ["timeout"]


def test_one_that_hangs_while_it_loads_hangs_once(sandbox: LinuxSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = count_asked(sandbox, monkeypatch)
    assert verdicts(sandbox, Job("while True: pass", ("",) * 50)) == ["timeout"] * 50
    assert len(asked) == 1


@pytest.mark.parametrize(("stop", "verdict"), [("while True: pass", "timeout"), ("os._exit(3)", "error")])
def test_one_that_always_stops_is_given_up_after_a_few_texts(
    sandbox: LinuxSandbox, monkeypatch: pytest.MonkeyPatch, stop: str, verdict: str
) -> None:
    asked = count_asked(sandbox, monkeypatch)
    assert verdicts(sandbox, job(stop, *map(str, range(50)))) == [verdict] * 50
    assert len(asked) == MOST_STOPS


def test_texts_before_the_last_stop_keep_their_answers(sandbox: LinuxSandbox) -> None:
    texts = [*["a"] * 5, "stop", "b", "stop", "a", "stop", "a", "a"]
    found = sandbox.run([job("if response == 'stop': os._exit(1)\nreturn 'a' in response", *texts)])[0]
    before = ["pass"] * 5 + ["error", "fail", "error", "pass", "error"]
    assert [answer.verdict for answer in found] == [*before, "error", "error"]
    assert "not judged" in found[-1].detail


def test_time_is_counted_for_each_text(sandbox: LinuxSandbox) -> None:
    slow = "end = len(response) * 10**6\nn = 0\nwhile n < end: n += 1\nreturn True"
    assert verdicts(sandbox, job(slow, *["x"] * 20)) == ["pass"] * 20


@pytest.mark.parametrize("greedy", ["return bool(bytearray(10**9))", "kept = []\nwhile True: kept.append('x' * 10**6)"])
def test_memory_is_limited(sandbox: LinuxSandbox, greedy: str) -> None:
    found = sandbox.run([job(greedy)])[0]
    assert [(answer.verdict, answer.detail.partition(":")[0]) for answer in found] == [("error", "MemoryError")]
    assert verdicts(sandbox, job("return len(bytearray(10**7)) > 0")) == ["pass"]


def test_long_texts_are_not_counted_as_the_verifiers_memory(sandbox: LinuxSandbox) -> None:
    texts = ("é" * 10**7, "🂡" + "x" * 3 * 10**7)
    assert verdicts(sandbox, job("return 'é' in response", *texts)) == ["pass", "fail"]


@pytest.mark.parametrize(
    "death",
    [
        "os._exit(0)",
        "os.abort()",
        "import ctypes\nctypes.string_at(0)",
        "sys.setrecursionlimit(10**9)\nclass A:\n    def __repr__(self): return repr(self)\nreturn repr(A())",
    ],
)
def test_a_process_that_dies_is_an_error_and_the_other_texts_keep_their_answers(
    sandbox: LinuxSandbox, death: str
) -> None:
    dies = "if response == 'die':\n" + "\n".join(f"    {line}" for line in death.splitlines()) + "\nreturn True"
    assert verdicts(sandbox, job(dies, "a", "die", "b")) == ["pass", "error", "pass"]


def test_a_verifier_sees_nothing_of_our_environment(sandbox: LinuxSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANISH_TEST_SECRET", "hunter2")
    with LinuxSandbox(LIMITS) as fresh:
        found = fresh.run([job("raise ValueError(dict(os.environ), os.getenv('PLANISH_TEST_SECRET'), sys.argv)")])[0]
    assert found[0].detail == "ValueError: ({}, None, [''])"


def test_hashes_and_the_clock_are_the_same_in_every_process(sandbox: LinuxSandbox) -> None:
    tells = job("raise ValueError(hash('planish'), time.localtime()[:5], time.time(), time.tzname)")
    found = [answers[0].detail for answers in sandbox.run([tells] * 6)]
    assert len(set(found)) == 1
    assert "(2024, 1, 1, 12, 0)" in found[0]


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd').read()",
        "open('/dev/shm/planish', 'w')",
        "os.listdir('/')",
        "os.stat('/')",
        "os.kill(os.getppid(), 9)",
        "os.kill(-1, 9)",
        "os.killpg(0, 9)",
        "os.setsid()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "import socket; socket.socket()",
        "import subprocess; subprocess.run('true')",
        "import _thread; _thread.start_new_thread(print, ())",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "import smtplib",
    ],
)
def test_what_reaches_outside_is_an_error(sandbox: LinuxSandbox, attempt: str) -> None:
    assert verdicts(sandbox, job(f"{attempt}\nreturn True")) == ["error"]
    assert sandbox.run([GOOD]) == [GOOD_ANSWERS]


def test_it_reaches_no_server_of_this_machine(sandbox: LinuxSandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        target = server.getsockname()
        assert verdicts(sandbox, job(f"import socket\nsocket.create_connection({target!r})\nreturn True")) == ["error"]
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "frame",
    [
        b'{"nonce": "", "answers": [["pass", "", false]]}',
        b"\x01" + b"\0" * 16,
        b'{"answers": [["pass", "", false]]}\n' * 100,
        b"[" * 10**5,
        b"x" * (1 << 20),
    ],
)
@pytest.mark.parametrize("then", ["os._exit(0)", "return True"])
def test_a_verdict_cannot_be_forged_by_writing_to_open_files(sandbox: LinuxSandbox, frame: bytes, then: str) -> None:
    forge = f"for file in range(64):\n    try: os.write(file, {frame!r})\n    except OSError: pass\n{then}"
    assert verdicts(sandbox, job(forge)) == ["error"]
    assert sandbox.run([GOOD]) == [GOOD_ANSWERS]


def test_what_a_verifier_patches_is_gone_with_it(sandbox: LinuxSandbox) -> None:
    patches = job("import builtins\nbuiltins.len = lambda _: 0\nos._exit = print\njson.dumps = str\nreturn True")
    many = [answers[0].verdict for answers in sandbox.run([patches, job("return len(response) == 2", "ab")] * 5)]
    assert many == ["pass", "pass"] * 5


def test_nothing_runs_on_after_the_end() -> None:
    before = children()
    with LinuxSandbox(LIMITS) as opened:
        assert len(children() - before) >= 2
        opened.run([job("while True: pass"), GOOD])
    assert children() <= before
    with pytest.raises(RuntimeError):
        opened.run([GOOD])


def test_it_opens_again_after_the_end() -> None:
    sandbox = LinuxSandbox(LIMITS)
    for _ in range(2):
        with sandbox:
            assert sandbox.run([GOOD]) == [GOOD_ANSWERS]


def children() -> set[int]:
    """The processes that this one has started, from the kernel's own list."""
    listed = Path("/proc/self/task").glob("*/children")
    return {int(child) for task in listed for child in task.read_text().split()}


def count_asked(sandbox: LinuxSandbox, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever a process is asked to judge."""
    asked: list[int] = []
    ask = sandbox._ask

    def count_and_ask(source: str, texts: list[str]) -> list[Answer] | Stop:
        asked.append(len(texts))
        return ask(source, texts)

    monkeypatch.setattr(sandbox, "_ask", count_and_ask)
    return asked
