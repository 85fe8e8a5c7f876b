import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter
from statistics import median, median_low
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import UsageError
from planish.records.preference import Point, TokenPreferences
from planish.train.balance import Balanced, BalanceSettings, balanced

OFF = {"rules": 0.0, "rejected": 0.0, "chosen": 0.0, "branches": "all"}
# What a strength or a cap goes by.
GROUPS: dict[str, Callable[[Point], object]] = {
    **dict.fromkeys(("rules", "most_per_rule"), attrgetter("rule")),
    **dict.fromkeys(("rejected", "most_per_rejected"), attrgetter("rejected")),
}

POINTS = st.builds(
    Point,
    position=st.integers(1, 5),
    rejected=st.integers(0, 3),
    chosen=st.lists(st.integers(10, 14), min_size=1, max_size=4, unique=True).map(tuple),
    chosen_probs=st.just(()),
    rule=st.sampled_from("abc"),
    after_rejected=st.booleans(),
).map(lambda point: point.model_copy(update={"chosen_probs": tuple(token / 100 for token in point.chosen)}))
PATHS = st.lists(
    st.builds(
        TokenPreferences,
        generation_id=st.sampled_from(["g", "h"]),
        token_ids=st.lists(st.integers(0, 1), min_size=6, max_size=8).map(tuple),
        prompt_length=st.just(1),
        points=st.lists(POINTS, min_size=1, max_size=6).map(tuple),
        is_branch=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda path: (path.generation_id, path.token_ids),
)
SETTINGS = st.builds(
    BalanceSettings,
    rules=st.floats(0, 1),
    rejected=st.floats(0, 1),
    chosen=st.floats(0, 1),
    least_chosen=st.integers(1, 3),
    most_points=st.none() | st.integers(1, 20),
    most_per_rule=st.none() | st.integers(1, 8),
    most_per_rejected=st.none() | st.integers(1, 8),
    branches=st.sampled_from(["all", "clean", "none"]),
)


def only(**keys: Any) -> BalanceSettings:
    """Settings that do nothing but this."""
    return BalanceSettings.from_user({**OFF, **keys})


def points_of(paths: Sequence[TokenPreferences]) -> list[Point]:
    return [point for path in paths for point in path.points]


def many(*counts: int, chosen: tuple[int, ...] = (20, 21)) -> list[TokenPreferences]:
    """A path with `counts[k]` points of rule and rejected token k."""
    things = [thing for thing, count in enumerate(counts) for _ in range(count)]
    points = [
        Point(position=at, rejected=thing, chosen=chosen, chosen_probs=(), rule=str(thing))
        for at, thing in enumerate(things, start=1)
    ]
    return [TokenPreferences(generation_id="g", token_ids=(7,) * 200, prompt_length=1, points=tuple(points))]


@given(PATHS, SETTINGS, st.integers(0, 3))
def test_nothing_appears_that_was_not_there(
    paths: list[TokenPreferences], settings: BalanceSettings, seed: int
) -> None:
    result = balanced(paths, settings, seed)
    before = {(path.generation_id, path.token_ids): path for path in paths}
    for path in result.preferences:
        old = before[path.generation_id, path.token_ids]
        assert path.points
        assert path.model_copy(update={"points": old.points}) == old
        remaining = iter(old.points)
        for point in path.points:  # in the old order, each from one of the old ones
            assert any(_is_from(point, other) for other in remaining)
            assert len(point.chosen) >= settings.least_chosen


def _is_from(point: Point, old: Point) -> bool:
    kept = {token: prob for token, prob in zip(old.chosen, old.chosen_probs, strict=True) if token in point.chosen}
    return point == old.model_copy(update={"chosen": tuple(kept), "chosen_probs": tuple(kept.values())})


@given(PATHS, SETTINGS)
def test_every_point_is_counted(paths: list[TokenPreferences], settings: BalanceSettings) -> None:
    result = balanced(paths, settings)
    for is_branch in (False, True):
        before = sum(len(path.points) for path in paths if path.is_branch is is_branch)
        after = sum(len(path.points) for path in result.preferences if path.is_branch is is_branch)
        assert (result.kept[is_branch], result.dropped[is_branch]) == (after, before - after)
    assert sum(result.reasons.values()) == sum(result.dropped)
    assert all(result.reasons.values())


@given(PATHS)
def test_with_everything_off_all_stays(paths: list[TokenPreferences]) -> None:
    result = balanced(paths, only())
    assert result.preferences == paths
    assert (result.reasons, sum(result.dropped), result.chosen_taken) == ({}, 0, 0)


@given(PATHS, SETTINGS, st.integers(0, 3), st.randoms(use_true_random=False))
def test_the_order_of_the_paths_does_not_matter(
    paths: list[TokenPreferences], settings: BalanceSettings, seed: int, random: Any
) -> None:
    shuffled = random.sample(paths, len(paths))
    one, other = balanced(paths, settings, seed), balanced(shuffled, settings, seed)
    assert sorted(map(repr, one.preferences)) == sorted(map(repr, other.preferences))
    assert one[1:] == other[1:]


def test_the_seed_decides_which_stay_and_nothing_else_does() -> None:
    paths = many(40, 3, 3)
    settings = only(most_points=10)
    kept = [[point.position for point in points_of(balanced(paths, settings, seed).preferences)] for seed in range(4)]
    assert len({tuple(positions) for positions in kept}) == 4
    code = (
        "import sys; from planish.records.preference import TokenPreferences; from planish.train.balance import *;"
        "path = TokenPreferences.model_validate_json(sys.argv[1]);"
        "settings = BalanceSettings.model_validate_json(sys.argv[2]);"
        "print([point.position for point in balanced([path], settings, 2).preferences[0].points])"
    )
    arguments = [sys.executable, "-c", code, paths[0].model_dump_json(), settings.model_dump_json()]
    again = subprocess.run(arguments, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "77"})  # noqa: S603
    assert again.stdout.strip() == str(kept[2])


@pytest.mark.parametrize("key", ["rules", "rejected"])
@given(paths=PATHS)
def test_at_full_strength_nothing_is_above_the_median(key: str, paths: list[TokenPreferences]) -> None:
    before = Counter(map(GROUPS[key], points_of(paths)))
    after = Counter(map(GROUPS[key], points_of(balanced(paths, only(**{key: 1})).preferences)))
    assert all(count <= median(before.values()) for count in after.values())
    assert after == {thing: min(count, median_low(before.values())) for thing, count in before.items()}


@pytest.mark.parametrize("key", ["rules", "rejected"])
def test_of_what_is_frequent_the_stated_share_stays(key: str) -> None:
    for strength in (0, 0.25, 0.5, 1):
        kept = points_of(balanced(many(64, 4, 4, 2, 9), only(**{key: strength})).preferences)
        counts = Counter(map(GROUPS[key], kept))
        assert sorted(counts.values()) == sorted(
            [round(4 * (64 / 4) ** (1 - strength)), round(4 * (9 / 4) ** (1 - strength)), 4, 4, 2]
        )


@given(PATHS, SETTINGS, st.sampled_from(["rules", "rejected", "chosen"]), st.floats(0, 1), st.floats(0, 1))
def test_more_strength_never_keeps_more(
    paths: list[TokenPreferences], settings: BalanceSettings, key: str, one: float, other: float
) -> None:
    weak, strong = (balanced(paths, settings.model_copy(update={key: strength})) for strength in sorted((one, other)))
    if key == "chosen":
        assert strong.chosen_taken >= weak.chosen_taken
    else:
        assert sum(strong.kept) <= sum(weak.kept)


def test_a_rule_with_one_token_is_not_cut_twice() -> None:
    both = balanced(many(64, 4, 4), only(rules=0.5, rejected=0.5))
    assert sorted(Counter(map(GROUPS["rules"], points_of(both.preferences))).values()) == [4, 4, 16]


@pytest.mark.parametrize("key", ["most_per_rule", "most_per_rejected"])
@given(paths=PATHS, most=st.integers(1, 9))
def test_caps_on_one_thing_hold_exactly(key: str, paths: list[TokenPreferences], most: int) -> None:
    before = Counter(map(GROUPS[key], points_of(paths)))
    after = Counter(map(GROUPS[key], points_of(balanced(paths, only(**{key: most})).preferences)))
    assert after == {thing: min(count, most) for thing, count in before.items()}


@given(PATHS, SETTINGS, st.integers(1, 30))
def test_the_cap_on_all_points_holds_exactly(
    paths: list[TokenPreferences], settings: BalanceSettings, most: int
) -> None:
    free = balanced(paths, settings.model_copy(update={"most_points": None}))
    capped = balanced(paths, settings.model_copy(update={"most_points": most}))
    assert sum(capped.kept) == min(most, sum(free.kept))
    assert all(any(_is_from(point, other) for other in points_of(paths)) for point in points_of(capped.preferences))


@given(PATHS, st.integers(1, 4))
def test_points_with_too_few_chosen_tokens_are_dropped(paths: list[TokenPreferences], least: int) -> None:
    result = balanced(paths, only(least_chosen=least))
    assert points_of(result.preferences) == [point for point in points_of(paths) if len(point.chosen) >= least]


@given(PATHS, st.floats(0, 1), st.integers(1, 3))
def test_frequent_chosen_tokens_are_taken_out_where_others_stay(
    paths: list[TokenPreferences], strength: float, least: int
) -> None:
    result = balanced(paths, only(chosen=strength, least_chosen=least))
    old = [point for point in points_of(paths) if len(point.chosen) >= least]
    new = points_of(result.preferences)
    assert len(old) == len(new)
    before = Counter(token for point in old for token in point.chosen)
    after = Counter(token for point in new for token in point.chosen)
    assert result.chosen_taken == before.total() - after.total()
    if not before:
        return
    middle = median_low(before.values())
    for token, count in before.items():
        target = round(middle * (count / middle) ** (1 - strength)) if count > middle else count
        assert after[token] >= target
        # More are left only where the point would have too few otherwise.
        if after[token] > target:
            assert all(len(point.chosen) == least for point in new if token in point.chosen)


def test_a_frequent_chosen_token_is_brought_down_to_its_share() -> None:
    points = [
        Point(position=at, rejected=0, chosen=(20, 30 + at % 16), chosen_probs=(0.9, 0.1), rule="r")
        for at in range(1, 65)
    ]
    path = TokenPreferences(generation_id="g", token_ids=(7,) * 80, prompt_length=1, points=tuple(points))
    for strength, left in ((0, 64), (0.5, 16), (1, 4)):
        kept = points_of(balanced([path], only(chosen=strength)).preferences)
        assert sum(20 in point.chosen for point in kept) == left
        assert all(point.chosen_probs == ((0.9, 0.1) if 20 in point.chosen else (0.1,)) for point in kept)


@given(PATHS)
def test_points_on_branches_stay_all_or_clean_or_not_at_all(paths: list[TokenPreferences]) -> None:
    def kept(branches: str) -> list[Point]:
        return points_of(balanced(paths, only(branches=branches)).preferences)

    assert kept("all") == points_of(paths)
    assert kept("none") == [point for path in paths if not path.is_branch for point in path.points]
    assert kept("clean") == [
        point for path in paths for point in path.points if not (path.is_branch and point.after_rejected)
    ]


def test_every_reason_is_named() -> None:
    frequent = many(20, 4, 4)
    branch = frequent[0].model_copy(update={"generation_id": "h", "is_branch": True})
    few = many(3, chosen=())[0].model_copy(update={"generation_id": "i"})

    def reasons(**keys: Any) -> Balanced:
        return balanced([*frequent, branch, few], only(least_chosen=1, **{"branches": "none", **keys}))

    assert reasons().reasons == {"on an abandoned branch": 28, "too few chosen tokens": 3}
    assert reasons(rules=1).reasons["the rule is frequent"] == 16
    assert reasons(rejected=1).reasons["the rejected token is frequent"] == 16
    assert reasons(most_per_rule=5).reasons["most_per_rule"] == 15
    assert reasons(most_per_rejected=3).reasons["most_per_rejected"] == 19
    assert reasons(most_points=10).reasons["most_points"] == 18


@pytest.mark.parametrize(
    "wrong",
    [{"rules": 1.5}, {"rejected": -0.1}, {"chosen": 2}, {"least_chosen": 0}, {"most_points": 0}, {"branches": "some"}],
)
def test_a_value_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        BalanceSettings.from_user(wrong)
