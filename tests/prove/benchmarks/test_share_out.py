"""Several processes find what one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hellaswag_rows import hellaswag_row
from ifeval_rows import EXAMPLES, row, write_lines

from planish.prove.benchmarks.processes import share_out


def test_one_process_works_on_all_rows() -> None:
    assert share_out([3, 1, 2], lambda rows: [number * number for number in rows]) == [9, 1, 4]
    assert share_out([], lambda rows: [1]) == []


@pytest.mark.slow
@pytest.mark.parametrize(("benchmark", "rows"), [("ifeval", 1), ("hellaswag", 5)])
def test_two_processes_print_once_what_one_prints(tmp_path: Path, benchmark: str, rows: int) -> None:
    of_ifeval = [row(example) for example in EXAMPLES[:rows]]
    data = of_ifeval if benchmark == "ifeval" else [hellaswag_row(number) for number in range(rows)]
    write_lines(tmp_path / "rows.jsonl", data)
    alone, together = (printed(tmp_path, benchmark, processes) for processes in (1, 2))
    assert json.loads(together) == json.loads(alone)
    assert (tmp_path / "out-2" / "scores.jsonl").read_text() == (tmp_path / "out-1" / "scores.jsonl").read_text()


def printed(folder: Path, benchmark: str, processes: int) -> str:
    """The standard output of `planish bench` in so many processes."""
    launch = [sys.executable]
    if processes > 1:
        launch += ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_machines", "1"]
        launch += ["--num_processes", str(processes), "--mixed_precision", "no", "--dynamo_backend", "no"]
        launch += ["--main_process_port", "0"]
    command = ["-m", "planish.cli", "bench", benchmark, "tiny", "--data", "rows.jsonl", "--json", "--quiet"]
    settings = ["--max-tokens", "8", "--device", "cpu", "--out", f"out-{processes}"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*launch, *command, *settings],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
