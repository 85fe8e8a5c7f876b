import subprocess
import sys

import pytest

HEAVY = {"numpy", "torch", "transformers"}


@pytest.mark.parametrize("module", ["planish", "planish.cli.app", "planish.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    loaded = set(ended.stdout.split())
    assert module in loaded
    assert HEAVY & loaded == set()
