"""Prompts with built-in constraints asked for in them, and the same prompts without."""

import random
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle, islice
from typing import NamedTuple

from planish.errors import DataError, UsageError
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
    both = [spelled for spelled in used if any(_overlap(spelled, other) for other in held_out)]
    if both:
        raise UsageError(f"{both[0]} is both used and held out", "leave it out of kinds, or of held_out_kinds")
    names = {spelled.partition("{")[0] for spelled in held_out}
    usual = (name for name in KINDS if name not in names)
    return Kinds(tuple(dict.fromkeys(used or usual)), tuple(dict.fromkeys(held_out)))


def drawn(spelled: str, prompt: Prompt, draws: random.Random) -> Constraint | None:
    """A constraint of a kind for a prompt; None where none of this kind fits it."""
    known = _known(spelled)
    return known if isinstance(known, Constraint) else known.draw(draws, prompt.content)


def asked_together(prompts: Sequence[Prompt], kinds: Sequence[str], most: int, draws: random.Random) -> list[Asked]:
    """Each prompt once, with as many constraints as are drawn, at most so many, or fewer if no more can stand together.

    A prompt that none of them fits is left out.
    """
    known = [_known(spelled) for spelled in kinds]
    asked = []
    for prompt in prompts:
        count = draws.randint(1, min(most, len(kinds)))
        if constraints := _together(prompt, count, known, draws):
            asked.append(Asked(ask(prompt, constraints, draws), prompt))
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


def _together(
    prompt: Prompt, count: int, kinds: Sequence[type[Constraint] | Constraint], draws: random.Random
) -> tuple[Constraint, ...]:
    """So many constraints, or as many as can stand together in this prompt."""
    for fewer in range(count, 0, -1):
        with suppress(DataError):
            return compose(draws, prompt.content, fewer, kinds)
    return ()


def _overlap(spelled: str, other: str) -> bool:
    """Whether both may ask for the same: a kind without parameters may have any."""
    if spelled.partition("{")[0] != other.partition("{")[0]:
        return False
    return spelled in KINDS or other in KINDS or _known(spelled) == _known(other)


def _known(spelled: str) -> type[Constraint] | Constraint:
    return KINDS[spelled] if spelled in KINDS else parse_constraint(spelled)
