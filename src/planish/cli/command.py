"""A verb whose flags are the fields of a dataclass, so that several verbs can share them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

import typer


def add_verb(app: typer.Typer, verb: Callable[..., None], flags: type, defaults: Mapping[str, Any]) -> None:
    """Add a verb to the command line. Its first parameter gets a `flags`, the others are arguments of its own.

    Args:
        app: the command line.
        verb: the function; its name is the verb.
        flags: a dataclass; each field, `Annotated` with a `typer.Option`, is a flag.
        defaults: of the flags; None where one is missing.
    """
    hints = get_type_hints(flags, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(field.name), annotation=hints[field.name]
        )
        for field in fields(flags)
    ]
    own = list(inspect.signature(verb).parameters.values())[1:]

    def command(**given: Any) -> None:
        group = flags(**{flag.name: given.pop(flag.name) for flag in shared})
        verb(group, **given)

    command.__doc__ = verb.__doc__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    app.command(name=verb.__name__)(command)
