"""An autoif run that is stopped after a stage, or killed anywhere, ends with the same files as one left alone."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from antislop_run import contents
from autoif_run import SMALL

import planish
from planish.models.tiny import tiny_llama
from planish.recipes.outcome import Outcome
from planish.runs.event import RunEvent
from planish.runs.toml import write_toml

# Several blocks a stage, so that a kill may come between two.
SETTINGS: dict[str, Any] = {**SMALL, "block": 18, "relaxed": 2, "control": True}
KILLS = 12


class PowerCutError(Exception):
    """It comes from the listener, which is outside the run."""


def test_a_run_stopped_after_any_stage_goes_on_to_the_same_files(tmp_path: Path) -> None:
    ended: list[str] = []

    def cut(event: RunEvent) -> None:
        # Once after every stage: nothing is said twice of a stage that is read.
        if event.kind == "end" and event.stage not in ended:
            ended.append(event.stage)
            raise PowerCutError

    undisturbed = planish.autoif("tiny", tmp_path / "undisturbed", **SETTINGS)
    outcome: Outcome | None = None
    for attempt in range(30):
        try:
            if attempt:
                outcome = planish.resume(tmp_path / "run", cut)
            else:
                outcome = planish.autoif("tiny", tmp_path / "run", cut, **SETTINGS)
        except PowerCutError:
            continue
        break
    texts = ["before", "before-plain", "after", "after-plain"]
    control = ["control", "control-after", "control-after-plain", "control-evidence"]
    assert ended == ["instructions", "write", "relax", "pair", "train", *texts, "evidence", *control, "model"]
    assert outcome is not None
    assert (outcome.evidence, outcome.notes) == (undisturbed.evidence, undisturbed.notes)
    assert contents(tmp_path / "run") == contents(tmp_path / "undisturbed")


@pytest.mark.slow
def test_a_run_killed_at_random_points_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    tiny_llama().save(tmp_path / "model")
    begun = start(tmp_path / "undisturbed", tmp_path / "model")
    wait_until_it_writes(begun, tmp_path / "undisturbed", starts=1)
    entered = time.monotonic()
    assert begun.wait() == 0
    duration = time.monotonic() - entered
    draw = random.Random(0)
    kills = runs = 0
    while kills < KILLS:
        runs += 1
        folder = tmp_path / f"killed-{runs}"
        starts = 0
        process = start(folder, tmp_path / "model")
        while True:
            starts += 1
            wait_until_it_writes(process, folder, starts)
            try:
                assert process.wait(draw.uniform(0, duration)) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
            else:
                break
            process = start(folder)
        assert contents(folder) == contents(tmp_path / "undisturbed")
        assert not (folder / "lock").exists()


def start(folder: Path, model: Path | None = None) -> subprocess.Popen[bytes]:
    """A new run of a model, or one that goes on."""
    if model is None:
        arguments = ["resume", str(folder)]
    else:
        config = folder.with_suffix(".toml")
        config.write_text(write_toml(SETTINGS), encoding="utf-8")
        arguments = ["autoif", str(model), "--config", str(config), "--out", str(folder)]
    command = [str(Path(sys.executable).with_name("planish")), *arguments, "--quiet"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    # What it says on errors is shown with a failed test.
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603 - our own command


def wait_until_it_writes(process: subprocess.Popen[bytes], folder: Path, starts: int) -> None:
    """Importing takes as long as everything else, and a kill meanwhile would show nothing."""
    events = folder / "events.jsonl"
    while process.poll() is None and not (events.exists() and events.read_text().count('"kind": "start"') >= starts):
        time.sleep(0.02)
