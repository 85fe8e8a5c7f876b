"""All kinds of constraints, by name, and how one is read back from a row."""

import json
from difflib import get_close_matches
from functools import lru_cache

from pydantic import ValidationError

from planish.errors import DataError
from planish.find.instructions import (
    case,
    ends,
    formats,
    keywords,
    layout,
    length,
    letters,
    numbers,
    places,
    punctuation,
    repetition,
    sections,
    sentence_length,
)
from planish.find.instructions.constraint import Constraint

_GROUPS = (
    length,
    sentence_length,
    keywords,
    places,
    letters,
    case,
    punctuation,
    layout,
    sections,
    formats,
    ends,
    repetition,
    numbers,
)
KINDS: dict[str, type[Constraint]] = {kind.name: kind for group in _GROUPS for kind in group.KINDS}


@lru_cache(maxsize=10_000)
def parse_constraint(spelled: str) -> Constraint:
    """The constraint that `Constraint.spelled` wrote, or a person did.

    Raises:
        DataError: there is no such kind, or its parameters are off.
    """
    name, brace, rest = spelled.strip().partition("{")
    if (kind := KINDS.get(name.strip())) is None:
        near = get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the constraints are: {', '.join(KINDS)}"
        raise DataError(f"unknown constraint {name!r}", hint)
    try:
        return kind.model_validate_json(brace + rest or "{}")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "json_invalid":
            what = f"its parameters {brace + rest!r} are no JSON object"
        elif first["type"] == "missing":
            what = f"the parameter {where!r} is missing"
        elif first["type"] == "extra_forbidden":
            what = f"it has no parameter {where!r}"
        else:
            what = f"{where or 'its parameters'} = {json.dumps(first['input'], default=str)}: {first['msg']}"
        raise DataError(f"constraint {name!r}: {what}", f"write it like {_example(kind)}") from error


def _example(kind: type[Constraint]) -> str:
    fields = ", ".join(f'"{field}": …' for field in sorted(kind.model_fields))
    return kind.name + (f"{{{fields}}}" if fields else "")
