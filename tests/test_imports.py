import subprocess
import sys

import pytest

HEAVY = {"numpy", "torch", "transformers"}


@pytest.mark.parametrize("module", ["planish", "planish.cli.app", "planish.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert module in loaded
    assert HEAVY & loaded == set()
