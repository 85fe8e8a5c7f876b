"""Typed settings: frozen, checked, and an unknown key is refused with the nearest known one."""

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from planish.errors import UsageError


class Settings(BaseModel):
    """A group of settings. Read what a user wrote with `from_user`, so that mistakes come back as one clear line."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_user(cls, values: Mapping[str, Any]) -> Self:
        """Check what a user wrote.

        Raises:
            UsageError: a key is unknown, or a value is out of range.
        """
        cls._refuse_unknown(values)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "settings"
            what = first["msg"].removeprefix("Value error, ")
            raise UsageError(f"{key} = {first['input']!r}: {what}", f"mend {key} and run again") from error

    @classmethod
    def _refuse_unknown(cls, values: Mapping[str, Any], above: str = "") -> None:
        for key, value in values.items():
            if key not in cls.model_fields:
                near = get_close_matches(key, cls.model_fields, n=1)
                known = ", ".join(above + field for field in cls.model_fields)
                raise UsageError(
                    f"unknown setting {above + key!r}",
                    f"did you mean {above + near[0]!r}?" if near else f"the settings are: {known}",
                )
            group = cls.model_fields[key].annotation
            if isinstance(value, Mapping) and isinstance(group, type) and issubclass(group, Settings):
                group._refuse_unknown(value, f"{above}{key}.")


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a TOML file, unchecked.

    Raises:
        UsageError: there is no such file, or it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}", "mend the file") from error


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """`KEY=VALUE` from a command line, as nested groups: `sampling.top_p=0.9`. A value is TOML, or else a string.

    Raises:
        UsageError: one has no `=`, or sets a part of what another one sets as a whole.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set {assignment} is not KEY=VALUE", "write it like --set sampling.top_p=0.9")
        *groups, last = key.strip().split(".")
        group = values
        for name in groups:
            group = group.setdefault(name, {})
            if not isinstance(group, dict):
                raise UsageError(f"{name} is set both as a whole and by {key.strip()}", "leave one of them out")
        group[last] = _value(text)
    return values


def merge_settings(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Several groups of settings as one; what a later one says replaces what an earlier one says."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            if isinstance(value, Mapping) and isinstance(below, Mapping):
                merged[key] = merge_settings(below, value)
            else:
                merged[key] = value
    return merged


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
