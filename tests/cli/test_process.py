"""The command line as a process of its own: what it imports, what it prints where, and how it ends."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from planish.errors import EXTRA_OF

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({packages}))  # importing any of them fails, as if it were not installed
sys.argv = ["planish", *{arguments}]
from planish.cli import main
main()
"""


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603 - our own command


def planish(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run([str(Path(sys.executable).with_name("planish")), *arguments])


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
    ended = planish("antislop", "tiny", "--set", "top_q=0.9")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == ["planish: unknown setting 'top_q'", "  next: did you mean 'top_p'?"]


def test_antislop_prints_nothing_but_json_on_standard_output() -> None:
    ended = planish("antislop", "tiny", "--limit", "6", "--samples", "2", "--max-tokens", "40", "--json")
    if ended.returncode:
        what, following = ended.stderr.splitlines()[-2:]
        assert (ended.returncode, ended.stdout) == (1, "")
        assert what.startswith("planish: ")
        assert following.startswith("  next: ")
    else:
        lines = json.loads(ended.stdout)["evidence"]
        assert "slop_per_1k_words" in [line["name"] for line in lines]
    assert "Traceback" not in ended.stderr


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
