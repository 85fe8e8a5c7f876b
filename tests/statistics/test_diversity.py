import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.statistics.diversity import moving_type_token_ratio, mtld

WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=60)
LONG = [f"w{random.Random(at).paretovariate(0.8):.0f}" for at in range(40_000)]


@given(WORDS, st.integers(1, 20))
def test_the_moving_ratio_is_the_mean_over_all_windows(words: list[str], window: int) -> None:
    ratios = [len(set(words[at : at + window])) / window for at in range(len(words) - window + 1)]
    if ratios:
        assert moving_type_token_ratio(words, window) == pytest.approx(sum(ratios) / len(ratios))
    else:
        assert math.isnan(moving_type_token_ratio(words, window))


def rows_slowly(words: list[str], threshold: float) -> float:
    """By the type-token ratio of everything read since the last row ended."""
    rows, start = 0.0, 0
    for end in range(1, len(words) + 1):
        ratio = len(set(words[start:end])) / (end - start)
        if ratio <= threshold:
            rows, start = rows + 1, end
    if rest := words[start:]:
        rows += (1 - len(set(rest)) / len(rest)) / (1 - threshold)
    return rows


@given(WORDS.filter(lambda words: len(set(words)) < len(words)), st.sampled_from([0.5, 0.72, 0.75, 0.9]))
def test_mtld_is_words_by_rows_in_both_directions(words: list[str], threshold: float) -> None:
    both = [len(words) / rows_slowly(read, threshold) for read in (words, words[::-1])]
    assert mtld(words, threshold) == pytest.approx(sum(both) / 2)


def test_mtld_of_the_paper_s_example() -> None:
    # Its first row is "of the people by the people", whose ratios are 1, 1, 1, 1, 0.8 and 0.667.
    assert rows_slowly(["of", "the", "people", "by", "the", "people"], 0.72) == 1
    assert mtld(["of", "the", "people", "by", "the", "people"]) == 6


@pytest.mark.parametrize("measured", [moving_type_token_ratio, mtld])
def test_a_text_ten_times_as_long_is_as_varied(measured: Callable[[list[str]], float]) -> None:
    short = [measured(LONG[at : at + 2000]) for at in range(0, 20_000, 2000)]
    assert measured(LONG) == pytest.approx(sum(short) / len(short), rel=0.03)


@pytest.mark.parametrize("measured", [moving_type_token_ratio, mtld])
def test_fewer_different_words_are_less_varied(measured: Callable[[list[str]], float]) -> None:
    assert measured([word[:2] for word in LONG[:3000]]) < measured(LONG[:3000])


def test_a_text_that_is_one_word_over_and_over() -> None:
    assert moving_type_token_ratio(["a"] * 300) == 0.01
    assert mtld(["a"] * 300) == 2


def test_a_text_that_never_says_a_word_twice() -> None:
    words = [str(at) for at in range(150)]
    assert moving_type_token_ratio(words) == 1
    assert mtld(words) == 150


def test_no_words_have_no_variety() -> None:
    assert math.isnan(mtld([]))
    assert math.isnan(moving_type_token_ratio([]))
