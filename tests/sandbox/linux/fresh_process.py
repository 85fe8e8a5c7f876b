"""A Python of its own for what cannot be taken back: a process stays confined until it ends."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[3] / "src" / "planish"
NOBODY = 65534
# As the fork servers start: without what planish's own __init__ needs.
PLANISH = """
import os, sys, types
planish = types.ModuleType("planish")
planish.__path__ = [sys.argv[1]]
sys.modules["planish"] = planish
"""


def said_by(script: str, *, python: str = sys.executable, **who: Any) -> str:
    """What a script prints that may import planish's sandbox."""
    command = [python, "-s", "-S", "-P", "-B", "-c", PLANISH + script, str(SOURCE)]
    ended: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - ours
        command, capture_output=True, text=True, cwd="/", check=False, **who
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def nobody() -> dict[str, Any]:
    """How to be the user who may least; one who is not root may little already."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


def python_for(who: dict[str, Any]) -> str:
    """The first Python that this user may run and that may read planish, or an empty string."""
    check = "import os, sys; sys.exit(sys.version_info < (3, 11) or not os.listdir(sys.argv[1]))"
    for python in filter(None, (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin"))):
        command = [python, "-c", check, str(SOURCE)]
        with suppress(OSError):
            if subprocess.run(command, capture_output=True, check=False, cwd="/", **who).returncode == 0:  # noqa: S603
                return python
    return ""
