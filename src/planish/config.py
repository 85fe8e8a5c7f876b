"""Typed settings: frozen, checked, and an unknown key is refused with the nearest known one."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from planish.errors import UsageError


class Settings(BaseModel):
    """A group of settings. Read what a user wrote with `from_user`, so that mistakes come back as one clear line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_user(cls, values: Mapping[str, Any]) -> Self:
        """Check what a user wrote.

        Raises:
            UsageError: a key is unknown, or a value is out of range.
        """
        for key in values:
            if key not in cls.model_fields:
                near = get_close_matches(key, cls.model_fields, n=1)
                known = ", ".join(cls.model_fields)
                raise UsageError(
                    f"unknown setting {key!r}",
                    f"did you mean {near[0]!r}?" if near else f"the settings are: {known}",
                )
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "settings"
            raise UsageError(f"{key} = {first['input']!r}: {first['msg']}", f"mend {key} and run again") from error
