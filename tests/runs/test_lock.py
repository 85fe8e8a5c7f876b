import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from planish.errors import UsageError
from planish.runs.lock import Holder, Lock, holder_of


def write_lock(folder: Path, pid: int, host: str = "", born: str = "") -> None:
    (folder / "lock").write_text(Holder(pid=pid, host=host or platform.node(), born=born).model_dump_json())


def dead_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_run_that_a_living_process_writes_is_refused_with_its_number(tmp_path: Path) -> None:
    write_lock(tmp_path, os.getppid())
    with pytest.raises(UsageError, match=f"is being written by process {os.getppid()}"):
        Lock(tmp_path).take()
    holder = holder_of(tmp_path)
    assert holder is not None
    assert holder.pid == os.getppid()


def test_one_process_does_not_write_a_run_twice_at_once(tmp_path: Path) -> None:
    with Lock(tmp_path), pytest.raises(UsageError, match=str(os.getpid())):
        Lock(tmp_path).take()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    write_lock(tmp_path, dead_process())
    assert holder_of(tmp_path) is None
    with Lock(tmp_path):
        holder = holder_of(tmp_path)
        assert holder is not None
        assert holder.pid == os.getpid()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells when a process started")
def test_a_later_process_with_the_holders_number_is_not_the_holder(tmp_path: Path) -> None:
    write_lock(tmp_path, os.getpid(), born="1")
    Lock(tmp_path).take()


def test_a_holder_on_another_machine_counts_as_alive(tmp_path: Path) -> None:
    write_lock(tmp_path, dead_process(), host="elsewhere")
    with pytest.raises(UsageError, match="on elsewhere") as caught:
        Lock(tmp_path).take()
    assert str(tmp_path / "lock") in caught.value.hint


def test_a_damaged_lock_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": ')
    with Lock(tmp_path):
        assert holder_of(tmp_path) is not None
