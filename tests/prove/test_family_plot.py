from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from evidence_lines import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from planish.prove.family_plot import LEAVES, NAMES, ROOT, family_svg, leaf_order, tree_of
from planish.prove.plot import WIDTH
from planish.records.family import Family, Merge

SVG = "{http://www.w3.org/2000/svg}"
NAMES_OF_FILES = st.text(st.characters(exclude_categories=["Cc", "Cn", "Cs"]), min_size=1, max_size=60)


@st.composite
def families(draw: st.DrawFn) -> Family:
    """Any tree of two to twelve corpora whose distances grow towards the root."""
    names = draw(st.lists(NAMES_OF_FILES, min_size=2, max_size=12, unique=True))
    distances = sorted(draw(st.lists(st.floats(0, 1), min_size=len(names) - 1, max_size=len(names) - 1)))
    branches: list[int] = list(range(len(names)))
    merges: list[tuple[int, int, float]] = []
    for distance in distances:
        first, second = (branches.pop(draw(st.integers(0, len(branches) - 1))) for _ in range(2))
        branches.append(len(names) + len(merges))
        merges.append((first, second, distance))
    return family(names, merges)


def family(names: Sequence[str], merges: Sequence[tuple[int, int, float]]) -> Family:
    records = [Merge(first=first, second=second, distance=distance, leaves=2) for first, second, distance in merges]
    return Family(names=tuple(names), rules=(), merges=tuple(records), newick=";")


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own picture


def corners(line: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def joins(svg: str) -> list[list[tuple[float, float]]]:
    return [corners(line) for line in parsed(svg).iter(f"{SVG}polyline")]


def heights(svg: str) -> dict[str, float]:
    """Where each name is written; a cut name's whole is its tooltip."""
    written = {}
    for element in parsed(svg).iter(f"{SVG}text"):
        if float(element.attrib["x"]) == NAMES:
            whole = element.find(f"{SVG}title")
            written[(element if whole is None else whole).text or ""] = float(element.attrib["y"])
    return written


@given(families())
def test_every_corpus_stands_once_and_those_of_a_branch_together(found: Family) -> None:
    order = leaf_order(found)
    assert sorted(order) == list(range(len(found.names)))
    members = [{corpus} for corpus in range(len(found.names))]
    for merge in found.merges:
        members.append(members[merge.first] | members[merge.second])
    for branch in members:
        places = sorted(order.index(corpus) for corpus in branch)
        assert places == list(range(places[0], places[0] + len(branch)))


@given(families())
def test_each_branch_joins_at_its_distance_from_among_its_own_rows(found: Family) -> None:
    tree = tree_of(found)
    places = {corpus: row for row, corpus in enumerate(tree.order)}
    members = [[places[corpus]] for corpus in range(len(found.names))]
    for knot, merge in zip(tree.knots, found.merges, strict=True):
        assert knot.distance == merge.distance >= max(knot.distances)
        sides = sorted((members[merge.first], members[merge.second]))
        for row, side in zip(knot.rows, sides, strict=True):
            assert min(side) <= row <= max(side)
        members.append(sides[0] + sides[1])


def test_the_tree_of_three_is_drawn_as_it_is() -> None:
    svg = family_svg(family(["a", "b", "c"], [(0, 2, 0.2), (1, 3, 0.8)]))
    at = heights(svg)
    close, far = joins(svg)
    assert {y + 5 for _, y in close} == {at["a"], at["c"]}
    assert close[0][0] == close[-1][0] == LEAVES
    middle = (at["a"] + at["c"]) / 2
    assert {y + 5 for _, y in far} == {at["b"], middle}
    scale = (LEAVES - ROOT) / 0.8
    assert LEAVES - close[1][0] == pytest.approx(0.2 * scale, abs=0.1)
    assert LEAVES - far[1][0] == pytest.approx(0.8 * scale, abs=0.1)


@given(families())
def test_a_picture_holds_every_name_and_stays_within_itself(found: Family) -> None:
    svg = family_svg(found)
    root = parsed(svg)
    assert heights(svg).keys() == set(found.names)
    for x, y in (place for join in joins(svg) for place in join):
        assert ROOT <= x <= LEAVES < WIDTH
        assert 0 < y < float(root.attrib["height"])


@pytest.mark.parametrize("distance", [0.0, 1.0])
def test_lists_that_are_alike_or_have_nothing_in_common_can_be_drawn(distance: float) -> None:
    (join,) = joins(family_svg(family(["a", "b"], [(0, 1, distance)])))
    assert all(ROOT <= x <= LEAVES for x, _ in join)
    assert (join[1][0] == LEAVES) == (distance == 0)


def test_a_tree_of_a_thousand_that_branch_one_by_one_can_be_drawn() -> None:
    count = 1200
    merges = [(0, 1, 0.0), *((step + 1, count + step - 1, step / count) for step in range(1, count - 1))]
    svg = family_svg(family([f"corpus {number}" for number in range(count)], merges))
    assert len(joins(svg)) == count - 1
    assert len(svg) < 1_000_000


def test_hostile_names_stay_names() -> None:
    svg = family_svg(family([HOSTILE, "b\x1b[31m\u202e"], [(0, 1, 0.5)]))
    assert "<script" not in svg
    assert HOSTILE in heights(svg)


def test_a_picture_says_in_words_what_it_shows() -> None:
    root = parsed(family_svg(family(["a", "b", "c"], [(0, 2, 0.25), (1, 3, 0.75)])))
    said = {element.attrib["id"]: element.text for element in root if "id" in element.attrib}
    assert all(said[name] for name in root.attrib["aria-labelledby"].split())
    assert "a join c at 0.25; b join a and c at 0.75" in said.values()
