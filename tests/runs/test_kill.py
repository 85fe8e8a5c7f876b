"""A run that is killed again and again ends with the same files as one that is left alone."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import story_run

KILLS = 10


def start(folder: Path, *kill_at: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, story_run.__file__, str(folder), *map(str, kill_at)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command


def test_a_run_killed_at_random_points_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    undisturbed = start(tmp_path / "undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr
    calls = int(undisturbed.stdout)
    draw = random.Random(0)
    for folder in (tmp_path / "first", tmp_path / "second"):
        # What is left to do shrinks: a late number may be beyond it, and then nothing is killed.
        ended = [start(folder, draw.randint(1, calls)) for _ in range(KILLS // 2)]
        assert -signal.SIGKILL in {process.returncode for process in ended}
        assert start(folder).returncode == 0
        assert story_run.contents(folder) == story_run.contents(tmp_path / "undisturbed")
        assert not (folder / "lock").exists()
