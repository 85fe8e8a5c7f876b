"""Which constraints can stand together in one prompt."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

from planish.errors import DataError
from planish.find.instructions.constraint import Constraint
from planish.find.instructions.demands import Range
from planish.find.instructions.kinds import KINDS

# What people write lies between these; constraints that together ask for more or for less are no fair request.
_WORDS_A_SENTENCE: Range = (3, 40)
_CHARACTERS_A_WORD: Range = (4, 8)


def compatible(constraints: Iterable[Constraint]) -> bool:
    """Whether one text can be expected to follow them all.

    No kind comes twice, none claims what another one does, whatever one demands no other rules out, and the lengths
    that they ask for fit each other. It errs on the side of no.
    """
    constraints = list(constraints)
    claims = [claim for constraint in constraints for claim in (constraint.name, *constraint.claims)]
    if len(claims) != len({*claims}):
        return False
    ranges: defaultdict[str, Range] = defaultdict(lambda: (0, math.inf))
    for constraint in constraints:
        for name, (least, most) in constraint.demands().items():
            ranges[name] = max(ranges[name][0], least), min(ranges[name][1], most)
    return all(least <= most for least, most in ranges.values()) and _fit_each_other(ranges)


def compose(
    draws: random.Random,
    content: str,
    count: int,
    kinds: Sequence[type[Constraint] | Constraint] = tuple(KINDS.values()),
) -> tuple[Constraint, ...]:
    """Draw so many constraints, of different kinds, that fit a prompt which says `content` and can stand together.

    A kind that comes with its parameters is taken as it is.

    Raises:
        DataError: there are too few that can.
    """
    chosen: list[Constraint] = []
    for kind in draws.sample(kinds, len(kinds)):
        if len(chosen) == count:
            break
        constraint = kind if isinstance(kind, Constraint) else kind.draw(draws, content)
        if constraint and compatible([*chosen, constraint]):
            chosen.append(constraint)
    if len(chosen) < count:
        names = ", ".join(kind.name for kind in kinds)
        raise DataError(f"no {count} of these constraints can stand together: {names}", "ask for fewer, or add kinds")
    return tuple(chosen)


def relaxed(constraints: Sequence[Constraint], index: int) -> tuple[Constraint, ...]:
    """All but one: an answer to these may well break the one that is left out, and nothing else."""
    return (*constraints[:index], *constraints[index + 1 :])


def _fit_each_other(ranges: defaultdict[str, Range]) -> bool:
    """Whether there are words enough for the sentences, sentences enough for the paragraphs, and not too many."""
    characters, words, sentences = ranges["characters"], ranges["words"], ranges["sentences"]
    shortest, longest = _WORDS_A_SENTENCE
    shortest, longest = max(shortest, ranges["shortest sentence"][0]), min(longest, ranges["longest sentence"][1])
    return (
        shortest <= longest
        and sentences[0] * shortest <= words[1]
        and words[0] <= sentences[1] * longest
        and words[0] * _CHARACTERS_A_WORD[0] <= characters[1]
        and characters[0] <= words[1] * _CHARACTERS_A_WORD[1]
        and max(ranges["lines"][0], ranges["paragraphs"][0]) <= sentences[1]
        and max(ranges["lines"][0], ranges["paragraphs"][0]) * shortest <= words[1]
        and ranges["paragraphs"][0] <= ranges["lines"][1]
    )
