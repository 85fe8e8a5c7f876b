"""Prompts with built-in constraints asked for in them, and the same prompts without."""

import random
from collections.abc import Sequence
from itertools import cycle, islice
from typing import NamedTuple

from planish.errors import UsageError
from planish.find.instructions import KINDS, Constraint, ask, compose, parse_constraint
from planish.prove.lift import Asked
from planish.records.prompt import Prompt


class Kinds(NamedTuple):
    """The kinds of constraints that are learned from, and those that only judge."""

    used: tuple[str, ...]
    held_out: tuple[str, ...]


def kinds_of(used: Sequence[str], held_out: Sequence[str]) -> Kinds:
    """What the settings leave open: all kinds are used that are not held out.

    Raises:
        UsageError: a constraint is on both sides.
    """
    both = [spelled for spelled in used if spelled in held_out]
    if both:
        raise UsageError(f"{both[0]} is both used and held out", "leave it out of kinds, or of held_out_kinds")
    names = {spelled.partition("{")[0] for spelled in held_out}
    return Kinds(tuple(used) or tuple(name for name in KINDS if name not in names), tuple(held_out))


def drawn(spelled: str, prompt: Prompt, draws: random.Random) -> Constraint | None:
    """A constraint of a kind for a prompt; None where none of this kind fits it."""
    known = _known(spelled)
    return known if isinstance(known, Constraint) else known.draw(draws, prompt.content)


def asked_together(prompts: Sequence[Prompt], kinds: Sequence[str], most: int, draws: random.Random) -> list[Asked]:
    """Each prompt once, with as many constraints as are drawn, at most so many, that can stand together."""
    known = [_known(spelled) for spelled in kinds]
    asked = []
    for prompt in prompts:
        count = draws.randint(1, min(most, len(kinds)))
        asked.append(Asked(ask(prompt, compose(draws, prompt.content, count, known), draws), prompt))
    return asked


def asked_in_turn(prompts: Sequence[Prompt], kinds: Sequence[str], each: int, draws: random.Random) -> list[Asked]:
    """Each prompt with one constraint of so many kinds, the kinds in turn, so that all are asked for about as often."""
    asked = []
    turn = cycle(kinds)
    for prompt in prompts:
        for spelled in islice(turn, min(each, len(kinds))):
            constraint = drawn(spelled, prompt, draws)
            if constraint is not None:
                asked.append(Asked(ask(prompt, [constraint]), prompt, spelled))
    return asked


def _known(spelled: str) -> type[Constraint] | Constraint:
    return KINDS[spelled] if spelled in KINDS else parse_constraint(spelled)
