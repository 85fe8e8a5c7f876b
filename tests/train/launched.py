"""Trainings by one process and by several, each in an interpreter of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

Result = dict[str, Any]


def launched(script: str, folder: Path, processes: int, *given: dict[str, Any]) -> list[list[Result]]:
    """For each training of the script, one after the other, what each process says of it."""
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(script)
    (folder / "given.json").write_text(json.dumps(given))
    launch = [sys.executable]
    if processes > 1:
        # With --cpu it starts one process, whatever number it is told.
        launch += ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_machines", "1"]
        launch += ["--num_processes", str(processes), "--mixed_precision", "no", "--dynamo_backend", "no"]
        launch += ["--main_process_port", "0"]
    done = subprocess.run(  # noqa: S603 - ours
        [*launch, "script.py"],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    said = [json.loads((folder / f"result-{number}.json").read_text()) for number in range(processes)]
    return [list(each) for each in zip(*said, strict=True)]
