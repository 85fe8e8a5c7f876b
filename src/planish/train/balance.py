"""Which preference points are trained on, so that no rule and no token drowns the others."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median_low
from typing import Literal, NamedTuple

from pydantic import Field

from planish.config import Settings
from planish.records.preference import Point, TokenPreferences


class BalanceSettings(Settings):
    """How evenly the points are spread, and how many there are at most.

    Of what occurs n times, more often than the median m, a strength leaves about m * (n / m) ** (1 - strength): 0
    leaves all, 1 the median.
    """

    rules: float = Field(default=0.5, ge=0, le=1)
    """How strongly rules are balanced; 0 is not at all, and with 1 none has more points than the median one."""
    rejected: float = Field(default=0.5, ge=0, le=1)
    """How strongly rejected tokens are balanced."""
    chosen: float = Field(default=0.2, ge=0, le=1)
    """How strongly chosen tokens are balanced: a frequent one is taken out of points that have others."""
    least_chosen: int = Field(default=1, ge=1)
    """Points with fewer chosen tokens are dropped, and balancing leaves no point with fewer."""
    most_points: int | None = Field(default=None, ge=1)
    """So many points at most; by default all."""
    most_per_rule: int | None = Field(default=None, ge=1)
    """So many points a rule at most; by default all."""
    most_per_rejected: int | None = Field(default=None, ge=1)
    """So many points a rejected token at most; by default all."""
    branches: Literal["all", "clean", "none"] = "clean"
    """Which points on abandoned branches stay: all, those before which no rejected token stands, or none."""


class Tally(NamedTuple):
    """How many points are on final texts, and how many on abandoned branches."""

    texts: int
    branches: int


class Balanced(NamedTuple):
    """What is trained on, and what came of the rest.

    `reasons` says why how many points were dropped. `chosen_taken` counts the chosen tokens that were taken out of
    points, dropped later or not.
    """

    preferences: list[TokenPreferences]
    reasons: Mapping[str, int]
    kept: Tally
    dropped: Tally
    chosen_taken: int


@dataclass
class _Candidate:
    """The point at a place of a path, both counted; of several, the one with the lowest `key` stays longest."""

    path: int
    place: int
    point: Point
    is_branch: bool
    key: bytes


# What tells groups of points apart, and how many of each may stay: of every one its own number, or the same, or all.
Group = Callable[[_Candidate], Hashable]
Most = Mapping[Hashable, int] | int | None


def balanced(
    preferences: Sequence[TokenPreferences], settings: BalanceSettings | None = None, seed: int = 0
) -> Balanced:
    """The points that stay. Which these are depends on the seed, and not on the order of the paths.

    Paths stay as they are but for their points; one without any is dropped.
    """
    settings = settings or BalanceSettings()
    candidates = _candidates(preferences, seed)
    allowed = [each for each in candidates if _may_stay(each, settings.branches)]
    fit = [each for each in allowed if len(each.point.chosen) >= settings.least_chosen]
    reasons = Counter(
        {"on an abandoned branch": len(candidates) - len(allowed), "too few chosen tokens": len(allowed) - len(fit)}
    )
    chosen_taken = _balance_chosen(fit, settings)
    # Shares are taken of what was there before: a rule and its only token are one thing, and are not cut twice.
    rejected = _leveled((each.point.rejected for each in fit), settings.rejected)
    rules = _leveled((each.point.rule for each in fit), settings.rules)
    limits: list[tuple[str, Group, Most]] = [
        ("the rejected token is frequent", _rejected, rejected),
        ("most_per_rejected", _rejected, settings.most_per_rejected),
        ("the rule is frequent", _rule, rules),
        ("most_per_rule", _rule, settings.most_per_rule),
        ("most_points", _all, settings.most_points),
    ]
    staying = fit
    for reason, group, most in limits:
        kept = _first(staying, group, most)
        reasons[reason] = len(staying) - len(kept)
        staying = kept
    return _balanced(preferences, staying, +reasons, chosen_taken)


def _candidates(preferences: Sequence[TokenPreferences], seed: int) -> list[_Candidate]:
    """All points, by key."""
    found = []
    for number, path in enumerate(preferences):
        # Branches of one text can reject the same token at the same position.
        name = _digest(path.generation_id, path.token_ids)
        for place, point in enumerate(path.points):
            key = _digest(name, point.position, point.rejected, point.rule, seed)
            found.append(_Candidate(number, place, point, path.is_branch, key))
    return sorted(found, key=lambda each: each.key)


def _digest(*parts: object) -> bytes:
    """The same in every process, unlike `hash`."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


def _may_stay(candidate: _Candidate, branches: str) -> bool:
    if branches == "all" or not candidate.is_branch:
        return True
    return branches == "clean" and not candidate.point.after_rejected


def _rejected(candidate: _Candidate) -> Hashable:
    return candidate.point.rejected


def _rule(candidate: _Candidate) -> Hashable:
    return candidate.point.rule


def _all(_: _Candidate) -> Hashable:
    return None


def _leveled(things: Iterable[Hashable], strength: float) -> Mapping[Hashable, int]:
    """How many of each stay; the lower median where there are two, so that it is a whole number."""
    counts = Counter(things)
    median = median_low(counts.values()) if counts else 0
    return {
        thing: round(median * (count / median) ** (1 - strength)) if count > median else count
        for thing, count in counts.items()
    }


def _first(candidates: Iterable[_Candidate], group: Group, most: Most) -> list[_Candidate]:
    """The first ones of each group, at most so many."""
    kept = []
    seen: Counter[Hashable] = Counter()
    for candidate in candidates:
        name = group(candidate)
        seen[name] += 1
        limit = most[name] if isinstance(most, Mapping) else inf if most is None else most
        if seen[name] <= limit:
            kept.append(candidate)
    return kept


def _balance_chosen(candidates: Sequence[_Candidate], settings: BalanceSettings) -> int:
    """Take frequent chosen tokens out of points, the most frequent one first; returns how many were taken."""
    having: dict[int, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        for token in candidate.point.chosen:
            having[token].append(candidate)
    limits = _leveled((token for each in candidates for token in each.point.chosen), settings.chosen)
    taken = 0
    for token in sorted(having, key=lambda token: (-len(having[token]), token)):
        excess = len(having[token]) - limits[token]
        if not excess:
            continue
        able = [each for each in having[token] if len(each.point.chosen) > settings.least_chosen]
        # Another order for each token: else some points would lose all of theirs.
        for candidate in sorted(able, key=lambda each: _digest(each.key, token))[:excess]:
            candidate.point = _without(candidate.point, token)
            taken += 1
    return taken


def _without(point: Point, token: int) -> Point:
    places = [place for place, other in enumerate(point.chosen) if other != token]
    probs = tuple(point.chosen_probs[place] for place in places) if point.chosen_probs else ()
    return point.model_copy(update={"chosen": tuple(point.chosen[place] for place in places), "chosen_probs": probs})


def _balanced(
    preferences: Sequence[TokenPreferences],
    candidates: Iterable[_Candidate],
    reasons: Mapping[str, int],
    chosen_taken: int,
) -> Balanced:
    """The paths with their points in their old order."""
    points: dict[int, dict[int, Point]] = defaultdict(dict)
    for candidate in candidates:
        points[candidate.path][candidate.place] = candidate.point
    kept = [
        path.model_copy(update={"points": tuple(points[number][place] for place in sorted(points[number]))})
        for number, path in enumerate(preferences)
        if number in points
    ]
    before, after = _tally(preferences), _tally(kept)
    dropped = Tally(before.texts - after.texts, before.branches - after.branches)
    return Balanced(kept, reasons, after, dropped, chosen_taken)


def _tally(paths: Iterable[TokenPreferences]) -> Tally:
    counts = Counter({True: 0, False: 0})
    for path in paths:
        counts[path.is_branch] += len(path.points)
    return Tally(counts[False], counts[True])
