"""The command line as a process of its own: what it imports, what it prints where, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from planish.errors import EXTRA_OF

PLANISH = str(Path(sys.executable).with_name("planish"))
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({packages}))  # importing any of them fails, as if it were not installed
sys.argv = ["planish", *{arguments}]
from planish.cli import main
main()
"""


def run(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, check=False)  # noqa: S603 - our own command


def planish(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return run([PLANISH, *arguments], cwd)


def planish_without(packages: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-c", WITHOUT.format(packages=packages, arguments=arguments)])


@pytest.mark.parametrize("arguments", [["--help"], ["antislop", "--help"]])
def test_help_is_on_standard_output(arguments: list[str]) -> None:
    ended = planish(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Usage" in ended.stdout


def test_no_verb_shows_the_help() -> None:
    assert "antislop" in planish().stdout


def test_a_wrong_setting_is_two_lines_and_exit_code_2() -> None:
    ended = planish("antislop", "tiny", "--set", "sampling.top_q=0.9")
    assert (ended.returncode, ended.stdout) == (2, "")
    what, following = ended.stderr.splitlines()
    assert (what, following) == (
        "planish: unknown setting 'sampling.top_q'",
        "  next: did you mean 'sampling.top_p'?",
    )


def test_antislop_prints_nothing_but_json_on_standard_output(tmp_path: Path) -> None:
    sizes = ["--limit", "12", "--samples", "3", "--max-tokens", "40", "--set", "front=[0.5]"]
    ended = planish("antislop", "tiny", *sizes, "--json", "--out", str(tmp_path / "run"))
    assert ended.returncode == 0
    assert "slop_per_1k_words" in [line["name"] for line in json.loads(ended.stdout)["evidence"]]
    stages = ("write", "find", "ban-1", "mine", "train", "before", "after", "front", "gaps", "evidence", "model")
    allowed = ("tiny: ", *stages)
    assert [line for line in ended.stderr.splitlines() if not line.startswith(allowed)] == []


def test_ctrl_c_saves_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    sizes = ["--limit", "60", "--samples", "3", "--max-tokens", "40", "--set", "block=6", "--until", "write"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [PLANISH, "antislop", "tiny", *sizes, "--out", "my run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=tmp_path,
        start_new_session=True,
    ) as process:
        events = tmp_path / "my run" / "events.jsonl"
        while process.poll() is None and not (events.exists() and '"block"' in events.read_text()):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-2:] == [
        "planish: interrupted; my run keeps what was finished",
        "  next: planish resume 'my run'",
    ]
    saved = (tmp_path / "my run/stages/1-write/rows.jsonl").read_bytes()
    assert 0 < saved.count(b"\n") < 120
    resumed = planish("resume", "my run", cwd=tmp_path)
    assert resumed.returncode == 0
    rows = (tmp_path / "my run/stages/1-write/rows.jsonl").read_bytes()
    assert rows.startswith(saved)
    assert rows.count(b"\n") == 120


@pytest.mark.parametrize("package", ["peft", "accelerate"])
def test_a_missing_package_is_named_with_what_brings_it(package: str) -> None:
    ended = planish_without([package], "antislop", "tiny", "--limit", "3")
    assert (ended.returncode, ended.stdout) == (1, "")
    what, following = ended.stderr.splitlines()[-2:]
    assert package in what
    assert "pip install 'planish[train]'" in following
    assert "Traceback" not in ended.stderr


def test_a_recipe_that_trains_no_weights_needs_no_package_for_training() -> None:
    ended = planish_without(sorted(EXTRA_OF), "diff", "tiny", "tiny", "--limit", "3", "--max-tokens", "5")
    assert ended.returncode == 0
    assert "kl_per_token" in ended.stdout


def test_what_each_package_needs_is_what_the_project_says() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {need.split(">=")[0] for need in project["optional-dependencies"]["train"]}
    assert {package for package, extra in EXTRA_OF.items() if extra == "train"} == required
