import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.records.prompt import Prompt, opening
from planish.records.prompt_split import split_prompts

PROMPTS = st.lists(st.integers(0, 40).map(lambda number: opening(f"prompt {number}")), max_size=60)
ENOUGH = PROMPTS.filter(lambda prompts: len({prompt.id for prompt in prompts}) >= 3)


@given(PROMPTS)
def test_a_split_loses_nothing_and_shares_nothing(prompts: list[Prompt]) -> None:
    distinct = {prompt.id for prompt in prompts}
    if len(distinct) < 3:
        with pytest.raises(DataError, match=str(len(distinct))) as caught:
            split_prompts(prompts)
        assert caught.value.hint
        return
    used, held_out = ([prompt.id for prompt in side] for side in split_prompts(prompts))
    assert set(used) | set(held_out) == distinct
    assert len(used) + len(held_out) == len(distinct)
    assert len(held_out) == len(distinct) // 3


@given(ENOUGH, st.randoms(use_true_random=False))
def test_the_order_of_the_prompts_does_not_decide_which_are_held_out(
    prompts: list[Prompt], shuffler: random.Random
) -> None:
    shuffled = shuffler.sample(prompts, len(prompts))
    for side, again in zip(split_prompts(prompts), split_prompts(shuffled), strict=True):
        assert {prompt.id for prompt in side} == {prompt.id for prompt in again}


@given(ENOUGH)
def test_each_side_keeps_the_order_of_the_prompts(prompts: list[Prompt]) -> None:
    places = {prompt.id: place for place, prompt in reversed(list(enumerate(prompts)))}
    for side in split_prompts(prompts):
        order = [places[prompt.id] for prompt in side]
        assert order == sorted(order)


def test_a_periodic_file_does_not_send_one_kind_to_one_side() -> None:
    prompts = [opening(f"{('sea', 'city', 'farm')[number % 3]} {number}") for number in range(300)]
    kinds = [prompt.content.split()[0] for prompt in split_prompts(prompts).held_out]
    # A hundred fair draws from three kinds leave one with fewer than 15 once in 10,000 times.
    assert all(kinds.count(kind) >= 15 for kind in ("sea", "city", "farm"))
