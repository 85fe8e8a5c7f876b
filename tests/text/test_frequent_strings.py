from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from planish.text.frequent_strings import frequent, in_order, in_texts
from planish.text.word_ids import BREAK

# Each text as words and breaks.
TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=6)


def flat(texts: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    ids = [number for text in texts for number in (*text, BREAK)]
    owners = [owner for owner, text in enumerate(texts) for _ in range(len(text) + 1)]
    return np.array(ids, dtype=np.int32), np.array(owners, dtype=np.int32)


def strings_of(words: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Every string without a break in it."""
    ends = range(1, len(words) + 1)
    return {words[start:end] for end in ends for start in range(end) if BREAK not in words[start:end]}


@given(TEXTS, st.integers(1, 4))
def test_frequent_strings_are_those_of_a_brute_force_search(texts: list[list[int]], least_texts: int) -> None:
    every = [strings_of(tuple(text)) for text in texts]
    counts = Counter(string for strings in every for string in strings if len(string) > 1)
    expected = {string for string, count in counts.items() if count >= least_texts}
    ids, owners = flat(texts)
    found = frequent(ids, 4, owners, least_texts)
    assert len(set(found)) == len(found)
    # They stand for all within them, and none of them stands within another.
    assert {string for one in found for string in strings_of(one) if len(string) > 1} == expected
    assert not any(one in strings_of(other) for one in found for other in found if one != other)


@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 5)), max_size=30), st.integers(1, 3))
def test_keys_are_counted_once_a_text(pairs: list[tuple[int, int]], least_texts: int) -> None:
    pairs.sort(key=lambda pair: pair[1])
    keys, texts = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    texts_with = Counter(key for key, _ in set(pairs))
    expected = sorted(key for key, count in texts_with.items() if count >= least_texts)
    assert in_texts(np.ascontiguousarray(keys), texts.astype(np.int32), least_texts).tolist() == expected


@given(st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**62)), max_size=50))
def test_the_order_is_that_of_a_stable_sort(numbers: list[int]) -> None:
    array = np.array(numbers, dtype=np.int64)
    assert in_order(array).tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)
