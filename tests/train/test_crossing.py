"""Couples of answers, each of which is right under one constraint and wrong under another."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from planish.train.crossing import Crossing, crossings

KEPT = st.lists(st.frozensets(st.sampled_from("abcd")), max_size=8)
USES = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5)).map(Counter)


def crossed(kept: list[frozenset[str]], most: int = 9, uses: Counter[str] | None = None) -> list[Crossing]:
    return crossings(kept, most, Counter() if uses is None else uses, random.Random(0))


@given(KEPT, st.integers(1, 4), USES, st.integers(0, 9))
def test_in_every_couple_each_answer_keeps_what_the_other_breaks(
    kept: list[frozenset[str]], most: int, uses: Counter[str], seed: int
) -> None:
    begun = Counter(uses)
    found = crossings(kept, most, uses, random.Random(seed))
    for first, second, for_first, for_second in found:
        assert for_first in kept[first] - kept[second]
        assert for_second in kept[second] - kept[first]
    couples = [frozenset((first, second)) for first, second, *_ in found]
    assert all(len(couple) == 2 for couple in couples)
    assert len({*couples}) == len(couples)
    stood = Counter(place for couple in couples for place in couple)
    assert all(count <= most for count in stood.values())
    assert uses == begun + Counter(name for couple in found for name in couple[2:])


@given(KEPT, st.integers(1, 4), USES, st.integers(0, 9))
def test_no_couple_is_left_that_could_still_be_taken(
    kept: list[frozenset[str]], most: int, uses: Counter[str], seed: int
) -> None:
    found = crossings(kept, most, uses, random.Random(seed))
    stood = Counter(place for couple in found for place in couple[:2])
    taken = {frozenset(couple[:2]) for couple in found}
    for first, own in enumerate(kept):
        for second, other in enumerate(kept[:first]):
            fits = bool(own - other) and bool(other - own) and max(stood[first], stood[second]) < most
            assert not fits or frozenset((first, second)) in taken


@given(KEPT, USES, st.integers(0, 9))
def test_of_what_an_answer_alone_keeps_the_rarest_is_taken(
    kept: list[frozenset[str]], uses: Counter[str], seed: int
) -> None:
    count = Counter(uses)
    for first, second, *names in crossings(kept, 2, uses, random.Random(seed)):
        for name, own in zip(names, (kept[first] - kept[second], kept[second] - kept[first]), strict=True):
            assert count[name] == min(count[each] for each in own)
        count.update(names)


@given(KEPT, st.integers(1, 4), USES, st.integers(0, 9))
def test_the_same_draws_give_the_same_couples(
    kept: list[frozenset[str]], most: int, uses: Counter[str], seed: int
) -> None:
    one, other = (crossings(kept, most, Counter(uses), random.Random(seed)) for _ in range(2))
    assert one == other


def test_nothing_is_crossed_where_one_answer_keeps_all_that_the_other_does() -> None:
    assert crossed([]) == crossed([frozenset("a")]) == []
    assert crossed([frozenset("a"), frozenset("a"), frozenset("ab"), frozenset()]) == []
    assert crossed([frozenset("ac"), frozenset("bc")]) in ([(0, 1, "a", "b")], [(1, 0, "b", "a")])


def test_which_couples_are_taken_first_is_drawn() -> None:
    kept = [frozenset(name) for name in "abcd"]
    first = {tuple(sorted(crossings(kept, 1, Counter(), random.Random(seed))[0][:2])) for seed in range(60)}
    assert len(first) == 6


def test_over_many_prompts_all_constraints_are_taken_about_as_often() -> None:
    uses: Counter[str] = Counter()
    for seed in range(30):
        crossings([frozenset("abc"), frozenset("def")], 1, uses, random.Random(seed))
    assert [*uses.values()] == [10] * 6
