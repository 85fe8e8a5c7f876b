"""The table of all constraints, for the documentation."""

import random
import re
from collections.abc import Iterator, Sequence

from planish.find.instructions.constraint import Constraint
from planish.find.instructions.kinds import KINDS

_HEADER = ("name", "parameters", "what is checked", "for example")
# What would be read as Markdown.
_MARKS = re.compile(r"```|[|<*]")
# What the examples are drawn for.
_CONTENT = "Tell me a story about an old lighthouse."


def constraint_table() -> str:
    """A Markdown table for each group: every kind, its parameters, what it checks, and one drawn instruction."""
    groups: dict[str, list[type[Constraint]]] = {}
    for kind in KINDS.values():
        groups.setdefault(kind.group, []).append(kind)
    return "\n".join(line for group, kinds in groups.items() for line in _section(group, kinds))


def _section(group: str, kinds: list[type[Constraint]]) -> Iterator[str]:
    yield from (f"## {group.capitalize()}", "", _row(_HEADER), _row(["---"] * len(_HEADER)))
    for kind in kinds:
        example = kind.draw(random.Random(kind.name), _CONTENT)
        said = example.instruction() if example else ""
        parameters = ", ".join(f"`{field}`" for field in kind.model_fields)
        yield _row((f"`{kind.name}`", parameters, " ".join((kind.__doc__ or "").split()), said))
    yield ""


def _row(cells: Sequence[str]) -> str:
    return (
        "| "
        + " | ".join(_MARKS.sub(lambda marks: "".join(f"\\{mark}" for mark in marks[0]), cell) for cell in cells)
        + " |"
    )
