import subprocess
import sys

import pytest

HEAVY = {"numpy", "polars", "torch", "transformers"}


@pytest.mark.parametrize("module", ["planish", "planish.cli.app", "planish.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    loaded = modules_after(f"import {module}")
    assert module in loaded
    assert HEAVY & loaded == set()


VERBS = ["antislop", "demo", "resume", "generate", "chat", "serve", "bans", "train", "find", "profile"]
VERBS += ["autoif", "bench", "check"]


@pytest.mark.parametrize("arguments", [["--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = modules_after(
        f"""
from planish.cli import main
sys.argv = ["planish", *{arguments}]
try:
    main()
except SystemExit:
    pass"""
    )
    assert "planish.cli.antislop" in loaded
    assert HEAVY & loaded == set()


def modules_after(code: str) -> set[str]:
    command = [sys.executable, "-c", f"import sys\n{code}\nprint()\nprint(*sys.modules)"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    return set(ended.stdout.splitlines()[-1].split())
