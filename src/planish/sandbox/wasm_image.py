"""The WebAssembly image that verifiers run in: CPython with the guest in it, built once for a user and kept."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from planish.errors import MissingPackageError, PlanishError

if TYPE_CHECKING:
    from wasmtime import Engine

PACKAGES = ("componentize-py", "wasmtime")
HERE = Path(__file__).parent
# What goes into the image, under the names that it has there.
SOURCES = {"planish_sandbox_guest.py": HERE / "guest.py", "wasm_guest.py": HERE / "wasm_guest.py"}
INTERFACE = """package planish:sandbox;
world verifier {
  import begin: func();
  export judge: func(request: string) -> string;
}
"""
BUILD = [sys.executable, "-c", "import sys, componentize_py; sys.exit(componentize_py.script())", "--quiet"]
# Half of the stack that the engine grants, so that deep recursion ends inside the image and not this process.
STACK_BYTES = 1 << 20


def lacking_package() -> str:
    """The first package that is needed and not installed, or an empty string."""
    for package in PACKAGES:
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            return package
    return ""


def wasm_engine() -> "Engine":
    """What compiles the image and runs it: both must be set alike. It counts instructions."""
    from wasmtime import Config, Engine

    config = Config()
    config.consume_fuel = True
    config.max_wasm_stack = STACK_BYTES
    return Engine(config)


def compiled_image(say: Callable[[str], None]) -> Path:
    """The compiled image; it is built where it is not there yet, is damaged, or is of other versions.

    Raises:
        MissingPackageError: a package is not installed.
        PlanishError: it cannot be built, or not be kept.
    """
    package = lacking_package()
    if package:
        raise MissingPackageError(package)
    folder, key = cache_folder(), _key()
    for found in sorted(folder.glob(f"{key}.*.cwasm")):
        if _digest(found.read_bytes()) == found.suffixes[0][1:]:
            return found
    say("building the sandbox's image, once, in about a minute …")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with TemporaryDirectory(dir=folder) as scratch:
            return _build(Path(scratch), folder, key)
    except OSError as error:
        raise PlanishError(
            f"the sandbox's image cannot be kept in {folder}: {error.strerror}",
            "name a folder that you can write to: export PLANISH_CACHE=…",
        ) from error


def cache_folder() -> Path:
    """Where it is kept: PLANISH_CACHE, or a folder of planish's own among the user's caches."""
    named = os.environ.get("PLANISH_CACHE")
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(named) if named else Path(caches) / "planish") / "sandbox"


def _key() -> str:
    """Of everything that the compiled image depends on."""
    parts = [f"{package} {metadata.version(package)}" for package in PACKAGES]
    parts += [INTERFACE, str(STACK_BYTES), *(source.read_text() for source in SOURCES.values())]
    return _digest("\0".join(parts).encode())[:16]


def _build(scratch: Path, folder: Path, key: str) -> Path:
    from wasmtime.component import Component

    for name, source in SOURCES.items():
        (scratch / name).write_bytes(source.read_bytes())
    (scratch / "verifier.wit").write_text(INTERFACE)
    arguments = [
        "-d",
        "verifier.wit",
        "-w",
        "verifier",
        "componentize",
        "--stub-wasi",
        "-o",
        "image.wasm",
        "wasm_guest",
    ]
    # It would take the packages of the environment that it finds there into the image.
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    ended = subprocess.run(  # noqa: S603 - our own command
        [*BUILD, *arguments], cwd=scratch, env=env, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PlanishError(f"the sandbox's image cannot be built: {reason}", "pip install --upgrade 'planish[sandbox]'")
    compiled = bytes(Component.from_file(wasm_engine(), scratch / "image.wasm").serialize())
    written = scratch / "image.cwasm"
    written.write_bytes(compiled)
    # In one step, so that whoever looks meanwhile finds all of it or nothing.
    return written.replace(folder / f"{key}.{_digest(compiled)}.cwasm")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
