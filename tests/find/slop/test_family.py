import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.find.slop.family import TOP, compared, family
from planish.records.corpus_profile import Rate
from planish.records.family import Family, FamilyRule

LISTS = st.dictionaries(
    st.text("ab'(),:; ", min_size=1, max_size=4),
    st.lists(st.sampled_from("uvwxyz"), unique=True),
    min_size=2,
    max_size=6,
)


def rate(name: str, per_1k: float, spread: float = 0.1) -> Rate:
    low, high = per_1k * (1 - spread), per_1k * (1 + spread) + 0.001
    return Rate(name=name, hits=9, texts=9, rate_per_1k_words=per_1k, low=low, high=high, dispersion=0.5)


def related(lists: Mapping[str, Sequence[str]], rates: Mapping[str, Mapping[str, Rate]] | None = None) -> Family:
    """With the same rate for everything everywhere, unless rates are given."""
    same = {name: {text: rate(text, 1.0) for text in compared(lists)} for name in lists}
    return family(lists, same if rates is None else rates)


def rule(found: Family, text: str) -> FamilyRule:
    return next(each for each in found.rules if each.text == text)


def test_what_stands_on_all_lists_is_shared_by_all_and_what_stands_on_more_than_half_by_most() -> None:
    lists = {"a": ["sigh", "gaze", "hum"], "b": ["gaze", "sigh"], "c": ["sigh", "gaze"], "d": ["sigh", "hum"]}
    found = related(lists)
    assert {each.text: (each.shared_by, each.listed_by) for each in found.rules} == {
        "sigh": ("all", ("a", "b", "c", "d")),
        "gaze": ("most", ("a", "b", "c")),
        "hum": ("some", ("a", "d")),
    }
    assert [each.text for each in found.rules] == ["sigh", "gaze", "hum"]


@pytest.mark.parametrize(
    ("elsewhere", "spread", "expected"),
    [(0.1, 0.1, "private"), (0.9, 0.1, "some"), (0.1, 2.0, "some"), (2, 0.1, "some")],
)
def test_what_stands_on_one_list_is_private_where_it_is_surely_more_frequent(
    elsewhere: float, spread: float, expected: str
) -> None:
    lists: dict[str, list[str]] = {"a": ["sigh"], "b": [], "c": []}
    rates = {
        "a": {"sigh": rate("sigh", 1.0, spread)},
        "b": {"sigh": rate("sigh", 0.0)},
        "c": {"sigh": rate("sigh", elsewhere, spread)},
    }
    assert rule(related(lists, rates), "sigh").shared_by == expected


def test_of_many_that_are_on_one_list_by_chance_none_is_private() -> None:
    """A difference of three standard errors is met once in some hundred: among a hundred it says nothing."""
    lists: dict[str, list[str]] = {"a": [f"word {number}" for number in range(100)], "b": []}
    rates = {
        "a": {text: rate(text, 1.0, 0.1) for text in compared(lists)},
        "b": {text: rate(text, 0.8 if text == "word 7" else 1.0, 0.1) for text in compared(lists)},
    }
    assert {each.shared_by for each in related(lists, rates).rules} == {"some"}


def test_only_the_first_of_each_list_are_compared_and_lists_are_looked_up_whole() -> None:
    many = [f"word {number:04}" for number in range(TOP + 5)]
    found = related({"a": many, "b": [many[0]], "c": [*reversed(many)]})
    assert set(compared({"a": many})) == set(many[:TOP])
    assert rule(found, many[-1]).listed_by == ("a", "c")
    assert rule(found, many[0]).listed_by == ("a", "b", "c")


@given(LISTS, st.randoms())
def test_the_order_of_the_sources_changes_nothing(lists: dict[str, list[str]], shuffle: Random) -> None:
    names = list(lists)
    shuffle.shuffle(names)
    assert related({name: lists[name] for name in names}) == related(lists)


@given(LISTS)
def test_two_lists_join_at_the_mean_distance_of_all_between_their_branches(lists: dict[str, list[str]]) -> None:
    found = related(lists)
    branches = [[name] for name in found.names]
    for merge in found.merges:
        first, second = branches[merge.first], branches[merge.second]
        distances = [distance(lists[one], lists[other]) for one in first for other in second]
        assert merge.distance == pytest.approx(sum(distances) / len(distances))
        assert merge.leaves == len(first) + len(second)
        branches.append([*first, *second])
    assert sorted(branches[-1]) == sorted(lists)
    assert len(found.merges) == len(lists) - 1


@given(LISTS)
def test_the_newick_text_keeps_every_name_and_every_distance(lists: dict[str, list[str]]) -> None:
    found = related(lists)
    heights = {frozenset([name]): 0.0 for name in lists}
    leaves, height, rest = read_newick(found.newick.removesuffix(";"), heights)
    assert (leaves, rest) == (frozenset(lists), "")
    assert height == pytest.approx(found.merges[-1].distance / 2, abs=1e-4)
    branches = [frozenset([name]) for name in found.names]
    for merge in found.merges:
        branches.append(branches[merge.first] | branches[merge.second])
        assert heights[branches[-1]] == pytest.approx(merge.distance / 2, abs=1e-4)


def distance(one: Sequence[str], other: Sequence[str]) -> float:
    both = {*one} | {*other}
    return 1 - len({*one} & {*other}) / len(both) if both else 0.0


def read_newick(text: str, heights: dict[frozenset[str], float]) -> tuple[frozenset[str], float, str]:
    """The leaves of the first branch, how high it is, and what follows; notes the height of every branch in it."""
    if text[0] == "'":
        quoted = re.match(r"'((?:[^']|'')*)'", text)
        assert quoted
        return frozenset([quoted[1].replace("''", "'")]), 0.0, text[quoted.end() :]
    ends, leaves = [], frozenset[str]()
    while text[0] in "(,":
        below, height, text = read_newick(text[1:], heights)
        length = re.match(r":([^,)]+)", text)
        assert length
        ends.append(height + float(length[1]))
        leaves |= below
        text = text[length.end() :]
    assert all(one == pytest.approx(other, abs=1e-4) for one, other in combinations(ends, 2))
    heights[leaves] = ends[0]
    return leaves, ends[0], text[1:]
