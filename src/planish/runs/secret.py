"""Keys and passwords, which must not reach any file."""

import os
import re
from collections.abc import Mapping
from typing import Any

from planish.errors import UsageError

REDACTED = "[redacted]"
# Whole words of a name: `api_key` and `HF_TOKEN` are secrets, `max_tokens` is none.
SECRET_NAME = re.compile(r"(?:^|[^a-z])(?:token|(?:api|access)?key|secret|password|passwd|credentials?)(?:$|[^a-z])")
URL_PASSWORD = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]+(?=@)")
# A shorter value, such as "1", is found in every other text.
SHORTEST_SECRET = 8


def refuse_secrets(values: Mapping[str, Any]) -> None:
    """Check a configuration before it is written.

    Raises:
        UsageError: a value is a secret by its name, by the environment variable that holds it, or as a URL's password.
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            refuse_secrets(value)
        elif redact({key: value}) != {key: value}:
            raise UsageError(
                f"the setting {key!r} holds a secret, and settings are written to disk",
                "leave it out, and set it as an environment variable",
            )


def redact(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, every secret replaced."""
    return {
        key: REDACTED if _names_secret(key) and value and isinstance(value, str) else _redact_value(value)
        for key, value in values.items()
    }


def _redact_value(value: object) -> object:
    if isinstance(value, Mapping):
        return redact(value)
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    return _redact_text(value) if isinstance(value, str) else value


def _redact_text(text: str) -> str:
    for name, value in os.environ.items():
        if len(value) >= SHORTEST_SECRET and value in text and _names_secret(name):
            text = text.replace(value, REDACTED)
    return URL_PASSWORD.sub(REDACTED, text)


def _names_secret(name: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return SECRET_NAME.search(words.lower()) is not None
