"""A behaviour by its name: a built-in one, or a user's own from a Python file or an installed package."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from planish.errors import DataError, UsageError
from planish.find.behaviour import Behaviour
from planish.find.loops import Loops

# What can be made without being told anything, and named on a command line.
BUILT_IN: Mapping[str, Callable[[], Any]] = {Loops.name: Loops}
ENTRY_POINTS = "planish.behaviours"
HOW_TO_NAME = (
    f"write {', '.join(BUILT_IN)}, my_file.py:Class, or the name of an entry point in the group {ENTRY_POINTS}"
)


def load_behaviour(name: str, needs: type = Behaviour) -> Behaviour:
    """Construct the behaviour that a user names, without arguments.

    Args:
        name: a built-in one, `my_file.py:Class`, or an entry point of the group `planish.behaviours`.
        needs: the protocol that it must fulfil: `Behaviour`, `Locatable` or `Bannable`.

    Raises:
        UsageError: there is no such class or entry point.
        DataError: there is no such file, its code fails, or the behaviour lacks something that is needed.
    """
    make = _class_in_file(name) if name.endswith(".py") or ".py:" in name else _named(name)
    try:
        behaviour: Behaviour = make()
    except Exception as error:
        raise DataError(f"{name} cannot be made: {_in_one_line(error)}", "mend its __init__") from error
    lacking = [f"the text {text}" for text in ("name", "version") if not _is_text(getattr(behaviour, text, None))]
    methods = [method for method in dir(needs) if not method.startswith("_")]
    lacking += [f"the method {method}" for method in methods if not callable(getattr(behaviour, method, None))]
    if lacking:
        owed = ", ".join(["name", "version", *methods])
        raise DataError(f"{name} lacks {' and '.join(lacking)}", f"what is asked of it here needs {owed}")
    return behaviour


def _class_in_file(name: str) -> Callable[[], Any]:
    file, _, class_name = (name, "", "") if name.endswith(".py") else name.rpartition(":")
    module = _module(Path(file))
    found = getattr(module, class_name, None)
    if isinstance(found, type):
        return found
    own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    classes = ", ".join(key for key in own if isinstance(getattr(module, key), type)) or "none"
    raise UsageError(f"{name} names no class of the file; it has {classes}", HOW_TO_NAME)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"planish_own_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise DataError(f"there is no file {path}", "check the path")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look up the module that they are defined in.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise DataError(f"{path} cannot be imported: {_in_one_line(error)}", f"python {path} shows where") from error
    return module


def _named(name: str) -> Callable[[], Any]:
    if name in BUILT_IN:
        return BUILT_IN[name]
    installed = entry_points(group=ENTRY_POINTS)
    if name not in installed.names:
        known = ", ".join(sorted({*BUILT_IN, *installed.names}))
        raise UsageError(f"there is no behaviour {name!r}; there are: {known}", HOW_TO_NAME)
    try:
        return installed[name].load()  # type: ignore[no-any-return]
    except Exception as error:
        raise DataError(
            f"{name} cannot be imported: {_in_one_line(error)}", "mend or reinstall the package that brings it"
        ) from error


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _in_one_line(error: BaseException) -> str:
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
