import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_server import fake_server
from planish.errors import MissingPackageError, ModelError, UsageError
from planish.models.server_process import ServerProcess, free_port, reach, vllm_command

# Writes down its own process and a child's, and answers everything with an empty list.
SERVER = """
import os, pathlib, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[2]).write_text(f"{os.getpid()} {child.pid}")
print("a line of its log", flush=True)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": []}')
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# Starts that server, and says so; then it waits to be ended.
OWNER = """
import pathlib, sys, time
from planish.models.server_process import ServerProcess
port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
command = [sys.executable, "-c", sys.argv[3], str(port), str(folder / "pids")]
with ServerProcess(command, f"http://127.0.0.1:{port}", folder / "log"):
    print("ready", flush=True)
    time.sleep(600)
"""


def server_command(port: int, folder: Path) -> list[str]:
    return [sys.executable, "-c", SERVER, str(port), str(folder / "pids")]


def server(folder: Path) -> ServerProcess:
    port = free_port()
    return ServerProcess(server_command(port, folder), f"http://127.0.0.1:{port}/v1", folder / "log")


def pids(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # What nobody has buried yet runs no more.
    return not (status.is_file() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def eventually(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()


def test_it_serves_within_the_block_and_nothing_is_left_after_it(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        assert process.is_alive()
        assert all(map(runs, pids(tmp_path)))
    assert not process.is_alive()
    assert eventually(lambda: not any(map(runs, pids(tmp_path))))
    assert "a line of its log" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_it_is_stopped_however_the_block_ends(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error), server(tmp_path):
        raise error
    assert eventually(lambda: not any(map(runs, pids(tmp_path))))


def test_stopping_twice_is_stopping_once(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        process.stop()
        assert eventually(lambda: not any(map(runs, pids(tmp_path))))


def test_what_handled_sigterm_before_handles_it_after(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with server(tmp_path):
        pass
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_does_not_outlive_us(number: signal.Signals, tmp_path: Path) -> None:
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent was killed")
    command = [sys.executable, "-c", OWNER, str(free_port()), str(tmp_path), SERVER]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own command
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    leader, child = pids(tmp_path)
    owner.send_signal(number)
    owner.wait()
    owner.stdout.close()
    assert eventually(lambda: not runs(leader))
    if number == signal.SIGKILL:
        # The kernel tells the server, and a server has to tell its own children.
        os.kill(child, signal.SIGKILL)
    assert eventually(lambda: not runs(child))


def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no such model: x'); raise SystemExit(7)"]
    with pytest.raises(ModelError, match=r"exit code 7.*no such model: x") as caught:
        ServerProcess(command, f"http://127.0.0.1:{free_port()}", tmp_path / "log").__enter__()
    assert "\n" not in caught.value.message
    assert str(tmp_path / "log") in caught.value.hint


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot start no-such-server"):
        ServerProcess(["no-such-server"], f"http://127.0.0.1:{free_port()}", tmp_path / "log").__enter__()


def test_a_server_that_never_answers_is_stopped(tmp_path: Path) -> None:
    write = f"pathlib.Path({str(tmp_path / 'pids')!r}).write_text(str(os.getpid()))"
    code = f"import os, pathlib, time; {write}; time.sleep(600)"
    process = ServerProcess([sys.executable, "-c", code], f"http://127.0.0.1:{free_port()}", tmp_path / "log", 2.0)
    with pytest.raises(ModelError, match="2 s"):
        process.__enter__()
    assert not process.is_alive()
    assert eventually(lambda: not any(map(runs, pids(tmp_path))))


def test_a_death_in_the_block_is_seen(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        os.kill(pids(tmp_path)[0], signal.SIGKILL)
        assert eventually(lambda: not process.is_alive())


def test_a_port_in_use_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    with fake_server(lambda before: {3: 1.0}) as other:
        command = server_command(int(other.url.rpartition(":")[2]), tmp_path)
        with pytest.raises(ModelError, match="in use"):
            ServerProcess(command, other.url, tmp_path / "log").__enter__()
    assert not (tmp_path / "pids").exists()


def test_a_server_that_answers_already_is_used_and_left_alone(tmp_path: Path) -> None:
    with server(tmp_path) as theirs:
        with reach(theirs.url, ["no-such-server"], tmp_path / "other-log") as ours:
            assert ours is None
        assert theirs.is_alive()


def test_where_nobody_answers_one_of_ours_is_started_and_stopped(tmp_path: Path) -> None:
    port = free_port()
    with reach(f"http://127.0.0.1:{port}", server_command(port, tmp_path), tmp_path / "log") as ours:
        assert ours is not None
        assert ours.is_alive()
    assert eventually(lambda: not any(map(runs, pids(tmp_path))))


@pytest.mark.parametrize(
    "command",
    [["serve", "--api-key", "hunter22"], ["serve", "--api-key=hunter22"], ["serve", "--header", "Bearer sk-12345678"]],
)
def test_no_key_stands_on_a_command_line(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANISH_API_KEY", "sk-12345678")
    with pytest.raises(UsageError) as caught:
        ServerProcess(command, "http://127.0.0.1:1", tmp_path / "log")
    said = caught.value.message + caught.value.hint
    assert "hunter22" not in said
    assert "12345678" not in said


def test_keys_reach_the_server_by_its_environment(tmp_path: Path) -> None:
    port = free_port()
    command = server_command(port, tmp_path)
    command[2] = "import os; print(os.environ['A_KEY'][::-1], flush=True)" + SERVER
    with ServerProcess(command, f"http://127.0.0.1:{port}", tmp_path / "log", env={"A_KEY": "abcdefgh"}):
        assert "hgfedcba" in (tmp_path / "log").read_text()


def test_vllm_is_asked_for_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planish.models.server_process.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="vllm"):
        vllm_command("model", 8000)
    monkeypatch.setattr("planish.models.server_process.find_spec", lambda name: name)
    command = vllm_command("model", 8000, "--dtype", "float32")
    assert command[command.index("--model") + 1] == "model"
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[-2:] == ["--dtype", "float32"]
