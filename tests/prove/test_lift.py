"""A text keeps an instruction because it was asked to, or anyway."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.prove.lift import LIFT, PASS_RATE, Asked, Judged, lift_evidence, lifts
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.records.score import Failure, Sample, Score

PLAIN = [Prompt(text=f"Story {number}") for number in range(8)]
# Two instructions for each prompt.
ASKED = [
    Asked(Prompt(text=f"{plain.text} {what}", constraints=(what,)), plain, what)
    for plain in PLAIN
    for what in ("red", "blue")
]


class Colours:
    """A text keeps an instruction when the word is in it; of what is torn nobody can say anything."""

    name = "colours"
    version = "1"

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        return [self._score(sample) for sample in samples]

    def _score(self, sample: Sample) -> Score | Failure:
        if "torn" in sample.text:
            return Failure(generation_id=sample.generation_id, behaviour=self.name, error="torn")
        broken = mean(word not in sample.text.split() for word in sample.prompt.constraints)
        return Score(
            generation_id=sample.generation_id,
            behaviour=self.name,
            version=self.version,
            value=broken,
            hits=int(broken > 0),
            words=1,
        )


def texts(prompt: Prompt, *said: str, failed: str = "") -> list[Generation]:
    """What was written for a prompt; a text that is `failed` was not."""
    return [
        Generation(
            id=f"{prompt.id}-{number}",
            prompt_id=prompt.id,
            sample=number,
            seed=0,
            text=text,
            prompt_token_ids=(),
            token_ids=(),
            char_ends=(),
            finish="failed" if text == failed else "stop",
            status="failed" if text == failed else "ok",
        )
        for number, text in enumerate(said)
    ]


def written(when_asked: Sequence[str], when_not: Sequence[str], asked: Sequence[Asked] = ASKED) -> Judged:
    """A model that writes the same for every prompt; `{}` stands for what it was asked for."""
    plain = {each.plain.id: each.plain for each in asked}
    return Judged(
        [text for each in asked for text in texts(each.prompt, *(said.format(each.kind) for said in when_asked))],
        [text for prompt in plain.values() for text in texts(prompt, *when_not)],
    )


def lines(before: Judged, after: Judged, margin: float | None = None) -> dict[str, Evidence]:
    found = lift_evidence(Colours(), "colours 1", ASKED, before, after, "here", margin)
    return {line.name: line for line in found}


def test_what_is_kept_because_it_is_asked_for_is_told_from_what_is_kept_anyway() -> None:
    before, after = written(["red", "none"], ["red"]), written(["{}", "none"], ["none"])
    found = lines(before, after)
    # Before, red is kept unasked, and asking lost half of it; after, it is kept half of the time, and when asked only.
    assert (found[LIFT].before, found[LIFT].after) == pytest.approx((-0.25, 0.5))
    assert (found[PASS_RATE].before, found[PASS_RATE].after) == pytest.approx((0.25, 0.5))
    assert [line.verdict for line in found.values()] == ["better", "better"]
    assert [(line.n, line.group, line.judge, line.unit) for line in found.values()] == [
        (len(PLAIN), "here", "colours 1", "share")
    ] * 2


def test_a_model_that_always_keeps_an_instruction_earns_nothing() -> None:
    before, after = written(["none"], ["none"]), written(["red blue"], ["blue red"])
    found = lines(before, after)
    assert (found[LIFT].before, found[LIFT].after, found[LIFT].difference) == (0, 0, 0)
    assert found[LIFT].verdict != "better"
    assert (found[PASS_RATE].before, found[PASS_RATE].after) == (0, 1)


def test_the_lift_has_no_relative_change_for_it_begins_near_nothing() -> None:
    line = lines(written(["{}", "none"], ["none"]), written(["{}"], ["none"]))[LIFT]
    assert line.difference == pytest.approx(0.5)
    assert (line.change, line.change_low, line.change_high) == (None, None, None)


@pytest.mark.parametrize(
    ("said", "verdict"), [(["none"], "same"), (["{}"], "changed"), (["red", "none"], "changed"), (["red"], "changed")]
)
def test_with_a_margin_the_lift_is_to_stay_and_nothing_else_is_said(said: list[str], verdict: str) -> None:
    found = lines(written(["none"], ["none"]), written(said, ["none"]), margin=0.1)
    assert list(found) == [LIFT]
    assert (found[LIFT].better, found[LIFT].margin, found[LIFT].verdict) == ("same", 0.1, verdict)


def test_what_failed_and_what_nobody_can_judge_is_left_out_on_its_side() -> None:
    first, second, *_ = ASKED
    found = lifts(
        Colours(),
        [first, second],
        Judged(
            [*texts(first.prompt, "red", "lost red", "torn", failed="lost red"), *texts(second.prompt, "torn")],
            texts(PLAIN[0], "red", "none", "none", "lost", failed="lost"),
        ),
    )
    # Of the second instruction there is no text that was asked.
    assert found.passed == {PLAIN[0].id: [(1, 1)]}
    assert found.lifted == {PLAIN[0].id: [(1 - 1 / 3, 1)]}


def test_a_prompt_without_plain_texts_counts_nowhere() -> None:
    judged = Judged([text for each in ASKED for text in texts(each.prompt, each.kind)], texts(PLAIN[3], "none"))
    assert {*lifts(Colours(), ASKED, judged).lifted} == {PLAIN[3].id}
    assert {line.n for line in lines(judged, judged).values()} == {1}


def test_two_models_without_a_prompt_in_common_are_refused() -> None:
    before, after = (Judged(texts(each.prompt, "red"), texts(each.plain, "red")) for each in (ASKED[0], ASKED[2]))
    with pytest.raises(DataError, match=LIFT):
        lines(before, after)


SAID = st.lists(st.sampled_from(["red", "blue", "red blue", "none", "torn"]), max_size=3)


@given(st.lists(st.tuples(SAID, SAID, SAID), min_size=1, max_size=5))
def test_any_texts_are_counted_as_by_hand(said: list[tuple[list[str], list[str], list[str]]]) -> None:
    asked_texts: list[Generation] = []
    plain_texts: list[Generation] = []
    passed, lifted = defaultdict(list), defaultdict(list)
    for plain, (red, blue, unasked) in zip(PLAIN, said, strict=False):
        plain_texts += texts(plain, *unasked)
        for each, own in zip([each for each in ASKED if each.plain is plain], (red, blue), strict=True):
            asked_texts += texts(each.prompt, *own)
            kept, kept_anyway = (
                [each.kind in text.split() for text in side if text != "torn"] for side in (own, unasked)
            )
            if kept and kept_anyway:
                passed[plain.id].append((sum(kept), len(kept)))
                lifted[plain.id].append((sum(kept) / len(kept) - sum(kept_anyway) / len(kept_anyway), 1))
    found = lifts(Colours(), ASKED, Judged(asked_texts, plain_texts))
    assert found.passed == passed
    assert found.lifted == lifted
    if passed:
        rates = [counted / total for tallies in passed.values() for counted, total in tallies]
        line = lines(Judged(asked_texts, plain_texts), Judged(asked_texts, plain_texts))[PASS_RATE]
        assert min(rates) <= line.before == line.after <= max(rates)
