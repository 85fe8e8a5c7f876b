from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.find.instructions import BrokenInstructions
from planish.find.slop import Slop
from planish.prove.evidence import Better, Tally, compare, pooled_rate, samples_of, score_all, tally, tally_hits
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening
from planish.records.rule import BanRule

PROMPTS = [opening(f"{number}") for number in range(6)]


def generation(prompt: Prompt, text: str, sample: int = 0, failed: bool = False) -> Generation:
    return Generation(
        id=f"{prompt.id}-{sample}",
        prompt_id=prompt.id,
        sample=sample,
        seed=0,
        text=text,
        prompt_token_ids=(1,),
        token_ids=(5,),
        char_ends=(1,),
        finish="failed" if failed else "stop",
        status="failed" if failed else "ok",
    )


def compared(
    before: Sequence[float], after: Sequence[float], better: Better = "lower", margin: float | None = None
) -> Evidence:
    sides = ({str(number): [(figure, 1.0)] for number, figure in enumerate(side)} for side in (before, after))
    return compare("figure", "unit", "judge", *sides, better=better, margin=margin)


def test_only_prompts_that_both_sides_have_are_compared() -> None:
    before = {"a": [(1.0, 1.0)], "b": [(9.0, 1.0)]}
    after = {"a": [(2.0, 1.0)], "c": [(9.0, 1.0)]}
    line = compare("slop", "", "", before, after, better="lower")
    assert (line.before, line.after, line.n) == (1, 2, 1)


@pytest.mark.parametrize("after", [{"c": [(1.0, 1.0)]}, {}])
def test_different_prompts_are_not_compared(after: dict[str, list[Tally]]) -> None:
    before = {"a": [(1.0, 1.0)], "b": [(1.0, 1.0)]}
    for sides in ((before, after), (after, before), ({}, {})):
        with pytest.raises(DataError, match="slop") as caught:
            compare("slop", "", "", *sides, better="lower")
        assert caught.value.hint


def test_the_order_of_prompts_and_of_samples_does_not_matter() -> None:
    before = {"a": [(1.0, 4.0), (0.0, 9.0)], "b": [(5.0, 6.0)], "c": [(2.0, 6.0)]}
    after = {"c": [(0.0, 5.0)], "b": [(1.0, 5.0)], "a": [(0.0, 7.0), (1.0, 7.0)]}
    turned = {prompt: after[prompt][::-1] for prompt in before}
    first, second = (compare("x", "", "", before, side, better="lower") for side in (after, turned))
    assert first == second


def test_figures_are_pooled_over_prompts_and_samples() -> None:
    before = {"a": [(1.0, 4.0), (0.0, 9.0)], "b": [(5.0, 6.0)]}
    after = {"a": [(1.0, 10.0)], "b": [(0.0, 10.0)]}
    line = compare("x", "", "", before, after, better="lower")
    assert (line.before, line.after, line.n) == pytest.approx((6 / 19, 1 / 20, 2))
    assert line.difference == pytest.approx(1 / 20 - 6 / 19)
    assert line.change == pytest.approx(19 / 120 - 1)


@pytest.mark.parametrize(
    ("before", "after", "better", "margin", "verdict"),
    [
        ([5, 6, 7, 8], [1, 2, 1, 2], "lower", None, "better"),
        ([5, 6, 7, 8], [1, 2, 1, 2], "higher", None, "worse"),
        ([1, 2, 1, 2], [5, 6, 7, 8], "lower", None, "worse"),
        ([1, 2, 1, 2], [5, 6, 7, 8], "higher", None, "better"),
        ([1, 9, 1, 9], [9, 1, 9, 1], "lower", None, "unclear"),
        ([5, 5, 5, 5], [5, 5, 5, 5], "higher", None, "unclear"),
        ([5, 5, 5, 5], [5, 5, 5, 6], "same", 2.0, "same"),
        ([5, 5, 5, 5], [9, 9, 9, 9], "same", 2.0, "changed"),
        ([5, 5, 5, 5], [1, 1, 1, 1], "same", 2.0, "changed"),
        ([5, 5, 5, 5], [5, 5, 9, 9], "same", 2.0, "unclear"),
        ([5, 5, 5, 5], [5, 5, 5, 5], "same", None, "same"),
        ([5, 5, 5, 5], [6, 6, 6, 6], "same", None, "changed"),
    ],
)
def test_a_verdict_says_what_the_interval_says(
    before: list[float], after: list[float], better: Better, margin: float | None, verdict: str
) -> None:
    line = compared([*before, *before], [*after, *after], better, margin)
    assert line.verdict == verdict
    assert compared(before, after, better, margin).verdict == "unclear", "too few prompts for a verdict"
    assert line.low <= line.difference <= line.high


@pytest.mark.parametrize(
    ("after", "better", "verdict"),
    [
        ([9.5] * 8, "higher", "same"),
        ([9.5] * 8, "lower", "same"),
        ([10.5] * 8, "lower", "same"),
        ([12] * 8, "higher", "better"),
        ([12] * 8, "lower", "worse"),
        ([8] * 8, "higher", "worse"),
        ([8] * 8, "lower", "better"),
        ([11.5, 14] * 4, "higher", "better"),
        ([11.5, 14] * 4, "lower", "worse"),
        ([10, 12] * 4, "higher", "same"),
        ([10, 11.5] * 4, "lower", "unclear"),
        ([10, 8.5] * 4, "higher", "unclear"),
        ([2, 18] * 4, "higher", "unclear"),
    ],
)
def test_with_a_margin_only_the_unwanted_way_is_bounded(after: list[float], better: Better, verdict: str) -> None:
    line = compared([10] * 8, after, better, margin=1.0)
    assert line.verdict == verdict
    worst = line.low if better == "higher" else -line.high
    assert (line.verdict in ("same", "better")) == (worst >= -1.0)


@given(st.lists(st.floats(0, 20), min_size=5, max_size=9), st.floats(0, 5))
def test_what_may_not_fall_is_what_may_not_rise_turned_round(after: list[float], margin: float) -> None:
    before = [10.0] * len(after)
    turned = [20.0 - figure for figure in after]
    upward, downward = compared(before, after, "higher", margin), compared(before, turned, "lower", margin)
    # Where a bound falls on the margin itself, rounding decides.
    if all(abs(abs(bound) - margin) > 1e-9 for bound in (upward.low, upward.high)):
        assert upward.verdict == downward.verdict


def test_a_line_says_what_it_was_measured_on() -> None:
    sides = [{"a": [(1.0, 1.0)]}] * 2
    assert compare("x", "", "", *sides, better="lower").group == "held-out prompts"
    assert compare("x", "", "", *sides, better="lower", group="reference text").group == "reference text"


def test_a_pooled_rate_is_all_that_was_counted_out_of_all() -> None:
    assert pooled_rate({"a": [(1.0, 4.0), (0.0, 9.0)], "b": [(5.0, 6.0)]}) == pytest.approx(6 / 19)
    assert pooled_rate({"a": [(0.0, 0.0)]}) == pooled_rate({}) == 0


def test_change_is_null_where_before_is_0() -> None:
    line = compared([0, 0], [1, 1])
    assert (line.change, line.change_low, line.change_high) == (None, None, None)
    halved = compared([4, 4], [2, 2])
    assert (halved.change, halved.change_low, halved.change_high) == (-0.5, -0.5, -0.5)


def test_a_finish_makes_the_figure_of_the_pooled_rate() -> None:
    line = compare("x", "", "", {"a": [(2.0, 4.0)]}, {"a": [(3.0, 3.0)]}, better="lower", finish=np.exp)
    assert (line.before, line.after) == pytest.approx((np.exp(0.5), np.exp(1)))


def test_failed_generations_are_left_out() -> None:
    texts = [
        generation(PROMPTS[0], "lily"),
        generation(PROMPTS[0], "lily lily", sample=1, failed=True),
        generation(PROMPTS[1], "lily", failed=True),
    ]
    slop = Slop([BanRule(text="lily")])
    assert tally(texts, lambda item: (len(item.text), 1)) == {PROMPTS[0].id: [(4, 1)]}
    with pytest.raises(DataError, match="could be written"):
        tally(texts[1:], lambda item: (len(item.text), 1))
    assert [sample.text for sample in samples_of(PROMPTS, texts)] == ["lily"]
    assert [score.hits for score in score_all(slop, PROMPTS, texts)] == [1]
    assert tally_hits(slop, PROMPTS, texts, per="texts") == {PROMPTS[0].id: [(1, 1)]}


def test_hits_are_counted_out_of_a_thousand_words_or_out_of_texts() -> None:
    texts = [generation(PROMPTS[0], "Lily saw lily."), generation(PROMPTS[1], "He saw it.")]
    slop = Slop([BanRule(text="lily")])
    for per, rate in (("words", 1000 * 2 / 6), ("texts", 2 / 2)):
        sides = [tally_hits(slop, PROMPTS, texts, per=per) for _ in range(2)]  # type: ignore[arg-type]
        assert compare("x", "", "", *sides, better="lower").before == pytest.approx(rate)


def test_texts_that_could_not_be_scored_are_no_scores() -> None:
    asked, unasked = Prompt(text="a", constraints=("question",)), Prompt(text="b")
    texts = [generation(asked, "Why?"), generation(unasked, "Why?")]
    behaviour = BrokenInstructions()
    assert [score.generation_id for score in score_all(behaviour, [asked, unasked], texts)] == [texts[0].id]
    assert tally_hits(behaviour, [asked, unasked], texts, per="texts") == {asked.id: [(0, 1)]}
