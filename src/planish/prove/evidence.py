"""One line of the before/after table from two sets of generations, or from a figure per generation."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planish.errors import DataError
from planish.find.behaviour import Behaviour
from planish.records.evidence import Evidence
from planish.records.generation import Generation, successes
from planish.records.prompt import Prompt
from planish.records.score import Failure, Sample, Score
from planish.statistics.paired_bootstrap import PairedRates, paired_rates

Better = Literal["lower", "higher", "same"]
# What was counted in one generation, and out of how much.
Tally = tuple[float, float]
# With fewer prompts than this, resampling them says nothing about others: no verdict then.
LEAST_PROMPTS = 5
HELD_OUT = "held-out prompts"


def compare(  # noqa: PLR0913 - a line of the table has as many parts
    name: str,
    unit: str,
    judge: str,
    before: Mapping[str, Sequence[Tally]],
    after: Mapping[str, Sequence[Tally]],
    *,
    better: Better,
    margin: float | None = None,
    finish: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda rate: rate,
    group: str = HELD_OUT,
) -> Evidence:
    """Compare a rate before and after, by paired bootstrap over prompts.

    Without a margin the line is a goal: it is better or worse as soon as the interval leaves zero out. With a margin it
    is a guard. With "same" the whole interval must lie within the margin on both sides (equivalence); with "lower" or
    "higher" it must only not go beyond the margin the wrong way (non-inferiority: "does not fall by more than ..."),
    and going surely beyond it the right way is better.

    Args:
        name: of the figure.
        unit: of the figure.
        judge: what measured it.
        before: tallies of the generations, by prompt id; or of other texts, by their own ids, with a `group`.
        after: the same, for the same prompts.
        better: which direction is wanted.
        margin: how far the figure may move, in its own unit: either way with "same", else the unwanted way.
        finish: turns the pooled rate into the figure.
        group: what the figure was measured on.

    A prompt whose texts all failed on one side is left out on both.

    Raises:
        DataError: the two sides have no prompt in common.
    """
    prompts = [prompt for prompt in before if prompt in after]
    if not prompts:
        raise DataError(f"{name}: before and after have different prompts", "generate both from the same prompts")
    pooled = [
        np.array([np.sum(side[prompt], axis=0) for prompt in prompts], dtype=np.float64) for side in (before, after)
    ]
    rates = paired_rates(pooled[0], pooled[1], finish)
    change = rates.change
    return Evidence(
        name=name,
        unit=unit,
        group=group,
        judge=judge,
        before=rates.before,
        after=rates.after,
        difference=rates.difference.value,
        low=rates.difference.low,
        high=rates.difference.high,
        change=change and change.value,
        change_low=change and change.low,
        change_high=change and change.high,
        n=len(prompts),
        better=better,
        margin=margin,
        verdict=_verdict(rates, better, margin) if len(prompts) >= LEAST_PROMPTS else "unclear",
    )


def pooled_rate(tallies: Mapping[str, Sequence[Tally]]) -> float:
    """What was counted in all of them, out of how much in all; 0 where there is nothing to count in."""
    counted, total = np.sum([tally for side in tallies.values() for tally in side] or [(0.0, 0.0)], axis=0)
    return float(counted / total) if total else 0.0


def tally(generations: Sequence[Generation], measure: Callable[[Generation], Tally]) -> dict[str, list[Tally]]:
    """Measure every generation that succeeded, and sort by prompt."""
    tallies: dict[str, list[Tally]] = defaultdict(list)
    for generation in successes(generations):
        tallies[generation.prompt_id].append(measure(generation))
    return dict(tallies)


def tally_scores(
    behaviour: Behaviour,
    prompts: Sequence[Prompt],
    generations: Sequence[Generation],
    measure: Callable[[Score], Tally],
) -> dict[str, list[Tally]]:
    """Measure the score of every generation, and sort by prompt; what could not be scored is left out."""
    scores = {score.generation_id: score for score in score_all(behaviour, prompts, generations)}
    scored = [generation for generation in generations if generation.id in scores]
    return tally(scored, lambda generation: measure(scores[generation.id]))


def tally_hits(
    behaviour: Behaviour, prompts: Sequence[Prompt], generations: Sequence[Generation], per: Literal["words", "texts"]
) -> dict[str, list[Tally]]:
    """A behaviour's hits in each generation, out of its words or out of the text as one."""
    if per == "words":
        return tally_scores(behaviour, prompts, generations, lambda score: (1000 * score.hits, score.words))
    return tally_scores(behaviour, prompts, generations, lambda score: (score.hits, 1))


def score_all(behaviour: Behaviour, prompts: Sequence[Prompt], generations: Sequence[Generation]) -> list[Score]:
    """The scores of the generations that succeeded; those that could not be scored are left out."""
    answers = behaviour.score(samples_of(prompts, generations))
    return [answer for answer in answers if not isinstance(answer, Failure)]


def samples_of(prompts: Sequence[Prompt], generations: Sequence[Generation]) -> list[Sample]:
    """Each successful generation with the prompt it was written for."""
    by_id = {prompt.id: prompt for prompt in prompts}
    return [
        Sample(by_id[generation.prompt_id], generation.text, generation.id) for generation in successes(generations)
    ]


def _verdict(
    rates: PairedRates, better: Better, margin: float | None
) -> Literal["better", "worse", "unclear", "same", "changed"]:
    low, high = rates.difference.low, rates.difference.high
    slack = margin or 0.0
    if better == "same":
        if -slack <= low and high <= slack:
            return "same"
        return "changed" if low > slack or high < -slack else "unclear"
    if better == "lower":
        low, high = -high, -low
    # From here on, up is better.
    if low > slack:
        return "better"
    if high < -slack:
        return "worse"
    return "same" if margin is not None and low >= -slack else "unclear"
