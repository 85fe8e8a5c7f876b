"""How much of a trained adapter is kept."""

from collections.abc import Sequence
from typing import Literal

from planish.records.evidence import Evidence
from planish.records.rule import BanRule

# The weakest adapter that takes this share of the slop away, or the one that brings it to the human rate.
Target = float | Literal["human"]


def weakest_enough(
    strengths: Sequence[float], lines: Sequence[Evidence], target: Target, rules: Sequence[BanRule]
) -> tuple[float, str]:
    """The weakest strength that does enough, and why it was taken; where none does, the strongest.

    Args:
        strengths: that were tried; none: the whole adapter is kept.
        lines: for each, how much slop there is before and after.
        target: what is enough.
        rules: the list that was counted, with what people do.
    """
    if not strengths:
        return 1.0, "adapter strength: 1, as no other was to be tried"
    human = sum(rule.overuse.human_rate_per_1k_words for rule in rules if rule.overuse)
    most = {
        strength: human if target == "human" else (1 - target) * line.before
        for strength, line in zip(strengths, lines, strict=True)
    }
    aim = f"the human rate, {human:.2g} per 1,000 words" if target == "human" else f"{target:.0%} less slop"
    left = {strength: line.after for strength, line in zip(strengths, lines, strict=True)}
    enough = [strength for strength in strengths if left[strength] <= most[strength]]
    if not enough:
        strongest = max(strengths)
        return (
            strongest,
            f"adapter strength: {strongest:g}, the strongest; none came to {aim} ({left[strongest]:.2g} left)",
        )
    weakest = min(enough)
    return weakest, (
        f"adapter strength: {weakest:g}, the weakest that came to {aim} on the prompts that were learned from "
        f"({left[weakest]:.2g} of {lines[0].before:.2g} per 1,000 words left)"
    )
