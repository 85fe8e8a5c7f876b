"""The family tree of several corpora as SVG text: the closer two join to the names, the more their lists have alike."""

from collections.abc import Sequence
from typing import NamedTuple

from planish.prove.plot import Picture, Scale, nice_ticks
from planish.prove.wording import number
from planish.records.family import Family

# Names stand on the right of the tree.
ROOT, LEAVES, NAMES = 40.0, 450.0, 462.0
TOP, ROW = 34, 28
# A tree of lists that are all alike still has a scale.
LEAST_DISTANCE = 0.1
# So many joins are said in words too.
MOST_SAID = 40


class Knot(NamedTuple):
    """Where two branches join: how far from the leaves, and the rows and distances of both branches."""

    distance: float
    rows: tuple[float, float]
    distances: tuple[float, float]


class Tree(NamedTuple):
    """Corpora in the order in which no two branches cross, and the knots over their rows."""

    order: Sequence[int]
    knots: Sequence[Knot]


def family_svg(family: Family) -> str:
    """The tree of a family of at least two, read from the names on the right to the left."""
    tree = tree_of(family)
    height = TOP + ROW * len(tree.order) + 48
    picture = Picture("family", height, "Family tree by overlap of what is overused", _said(family))
    farthest = max([LEAST_DISTANCE, *(knot.distance for knot in tree.knots)])
    ticks = [tick for tick in nice_ticks(0.0, farthest) if tick <= 1]
    x = Scale(0.0, max(ticks[-1], farthest), LEAVES, ROOT)
    y = Scale(0, len(tree.order), TOP, TOP + ROW * len(tree.order))
    floor = y.end - ROW / 2
    for tick in ticks:
        picture.line((x.at(tick), TOP - 18), (x.at(tick), floor), "grid" if tick else "zero")
        picture.text(x.at(tick), floor + 20, number(tick), "faint", "middle")
    picture.text((ROOT + LEAVES) / 2, floor + 42, "share of two lists that is not on both", "faint", "middle")
    for knot in tree.knots:
        corners = [(x.at(distance), y.at(row)) for distance, row in zip(knot.distances, knot.rows, strict=True)]
        joined = [(x.at(knot.distance), y.at(row)) for row in knot.rows]
        picture.path([corners[0], *joined, corners[1]], "link")
    for row, corpus in enumerate(tree.order):
        picture.label(NAMES, y.at(row) + 5, family.names[corpus])
    return str(picture)


def tree_of(family: Family) -> Tree:
    """What is drawn where: a branch's row is the middle of the two that it holds."""
    order = leaf_order(family)
    rows: list[float] = [0.0] * len(family.names)
    for row, corpus in enumerate(order):
        rows[corpus] = row
    distances = [0.0] * len(family.names)
    knots = []
    for merge in family.merges:
        upper, lower = sorted((merge.first, merge.second), key=rows.__getitem__)
        knots.append(Knot(merge.distance, (rows[upper], rows[lower]), (distances[upper], distances[lower])))
        rows.append((rows[upper] + rows[lower]) / 2)
        distances.append(merge.distance)
    return Tree(order, knots)


def leaf_order(family: Family) -> list[int]:
    """The corpora in the order of the tree, so that those of a branch stand together."""
    members = [[corpus] for corpus in range(len(family.names))]
    for merge in family.merges:
        members.append([*members[merge.first], *members[merge.second]])
    return members[-1]


def _said(family: Family) -> str:
    members = [[name] for name in family.names]
    said = []
    for merge in family.merges[:MOST_SAID]:
        sides = [" and ".join(members[side]) for side in (merge.first, merge.second)]
        said.append(f"{sides[0]} join {sides[1]} at {number(merge.distance)}")
        members.append([*members[merge.first], *members[merge.second]])
    return "; ".join(said)
