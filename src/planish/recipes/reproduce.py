"""The command that does a run again."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from planish.runs.toml import flat, written


def reproduce(verb: str, named: Sequence[str], changed: Mapping[str, Any]) -> str:
    """A line to type.

    Args:
        verb: with `planish` before it.
        named: what stands behind it without a flag.
        changed: the settings that are not as they are by default; what is None is left out.
    """
    given = [f"--set {shlex.quote(f'{key}={written(value)}')}" for key, value in flat(changed).items()]
    return " ".join([f"planish {verb}", *map(shlex.quote, named), *given])
