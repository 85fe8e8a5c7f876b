"""Chooses where verifiers run."""

import sys
from typing import TYPE_CHECKING

from planish.errors import MissingPackageError, PlanishError, UsageError
from planish.sandbox.job import Limits
from planish.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from planish.sandbox.linux import LinuxSandbox
    from planish.sandbox.wasm import WasmSandbox

# The first that this machine can is the one that "auto" takes.
KINDS = ("wasm", "linux")


def open_sandbox(kind: str = "auto", limits: Limits | None = None) -> Sandbox:
    """The sandbox of this kind, to be used as a context; "auto" takes the best that this machine has.

    Raises:
        UsageError: there is no such kind.
        PlanishError: this machine cannot have it. Nothing less is taken in its place.
    """
    if kind not in ("auto", *KINDS):
        raise UsageError(f"there is no sandbox {kind!r}", f"take one of: auto, {', '.join(KINDS)}")
    lacks = missing_of_kinds()
    chosen = next((name for name in KINDS if not lacks[name]), "wasm") if kind == "auto" else kind
    if not lacks[chosen]:
        return _class_of(chosen)(limits or Limits())
    if chosen == "wasm":
        from planish.sandbox.wasm_image import lacking_package

        raise MissingPackageError(lacking_package())
    raise PlanishError(f"the sandbox {chosen!r} needs {lacks[chosen]}", "pip install 'planish[sandbox]'")


def missing_of_kinds() -> dict[str, str]:
    """For each kind what this machine lacks to have it; an empty string where it can."""
    # Elsewhere it cannot even be imported.
    here = KINDS if sys.platform == "linux" else ("wasm",)
    return dict.fromkeys(KINDS, "Linux") | {kind: _class_of(kind).missing() for kind in here}


def _class_of(kind: str) -> "type[LinuxSandbox | WasmSandbox]":
    if kind == "linux":
        from planish.sandbox.linux import LinuxSandbox

        return LinuxSandbox
    from planish.sandbox.wasm import WasmSandbox

    return WasmSandbox
