from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from planish.statistics.dispersion import deviations_of_proportions

# Of each part its size, and the hits of two items in it.
PARTS = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=12)


def slow(sizes: Sequence[int], hits: Sequence[int]) -> float:
    """Gries 2008, page 415, and the normalisation of 2012, word for word."""
    total, occurrences = sum(sizes), sum(hits)
    deviation = sum(abs(hit / occurrences - size / total) for size, hit in zip(sizes, hits, strict=True)) / 2
    return deviation / (1 - min(sizes) / total)


def fast(sizes: Sequence[int], *items: Sequence[int]) -> list[float]:
    named = [(at, hit, size) for at, hits in enumerate(items) for hit, size in zip(hits, sizes, strict=True) if hit]
    columns, found, words = np.array(named, dtype=np.int64).reshape(-1, 3).T
    return list(deviations_of_proportions(columns, found, words, sum(sizes), min(sizes), len(items)))


@given(PARTS)
def test_the_parts_that_have_an_item_are_enough(parts: list[tuple[int, int, int]]) -> None:
    sizes, *items = (list(column) for column in zip(*parts, strict=True))
    assume(all(sum(hits) for hits in items))
    assert fast(sizes, *items) == pytest.approx([slow(sizes, hits) for hits in items])


def test_what_is_spread_as_the_sizes_are_has_0_and_what_stands_in_the_smallest_part_has_1() -> None:
    assert fast([10, 20, 30], [1, 2, 3], [5, 0, 0]) == pytest.approx([0, 1])


def test_the_example_of_the_paper() -> None:
    """Gries 2008: a corpus of five parts and 50 words, in which "a" stands 15 times; not normalised."""
    assert fast([9, 10, 10, 10, 11], [1, 2, 3, 4, 5])[0] * (1 - 9 / 50) == pytest.approx(0.18)


def test_what_stands_nowhere_and_what_has_one_part_to_stand_in_has_0() -> None:
    assert fast([10, 20], [0, 0]) == [0]
    assert fast([10], [3]) == [0]
