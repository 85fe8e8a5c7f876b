"""What a run was made with: versions, machine, code."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from planish.runs.event import now

PACKAGES = ("planish", "torch", "transformers", "peft", "trl", "accelerate")
PATIENCE_S = 10


def describe_attempt() -> dict[str, Any]:
    """One start of a run. No package is imported for it; what is not there is None."""
    return {
        "started": now(),
        "versions": {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}},
        "platform": platform.platform(),
        "hardware": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "accelerators": _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"),
        },
        "git_commit": _output("git", "rev-parse", "HEAD"),
        "git_changes": _output("git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _output(program: str, *arguments: str) -> str | None:
    """What a program prints; None where it is not there or fails."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        ended = subprocess.run(  # noqa: S603 - fixed programs with fixed arguments
            [path, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.rstrip()
