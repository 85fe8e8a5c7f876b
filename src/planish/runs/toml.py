"""A configuration as TOML: what `tomllib` reads back is what was written."""

import json
import re
from collections.abc import Mapping
from typing import Any

from planish.errors import UsageError


def write_toml(values: Mapping[str, Any]) -> str:
    """Values and tables in tables as TOML. A key whose value is None is left out.

    Raises:
        UsageError: a value holds what no text file can.
        TypeError: a value is no string, integer, float, boolean, list, table or None.
    """
    return "\n".join([*_table(values, ()), ""])


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Every value by its dotted name; those that are None are left out."""
    named: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            named |= flat(value, f"{above}{key}.")
        elif value is not None:
            named[above + key] = value
    return named


def written(value: object) -> str:
    """One value as it stands in the file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(item) for item in value) + "]"
    raise TypeError(f"{value!r} ({type(value).__name__}) has no place in a configuration file")


def _table(values: Mapping[str, Any], above: tuple[str, ...]) -> list[str]:
    """The lines of a table, and then of those in it, which are named by all keys that lead to them."""
    lines = ["", f"[{'.'.join(map(_key, above))}]"] if above else []
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    plain = {key: value for key, value in values.items() if key not in tables and value is not None}
    lines += [f"{_key(key)} = {written(value)}" for key, value in plain.items()]
    for key, table in tables.items():
        lines += _table(table, (*above, key))
    return lines


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _string(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"{text!r} is not valid Unicode text", "give it in UTF-8") from error
    # JSON's escapes are TOML's too; the delete character is the one that only TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
