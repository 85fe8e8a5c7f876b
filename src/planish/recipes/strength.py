"""How much of a trained adapter is kept: what it does at every strength, and the weakest that does enough."""

from collections.abc import Sequence
from typing import Literal

from planish.find.behaviour import Locatable
from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.prove.collateral import drift
from planish.prove.slop_evidence import slop_rate
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.records.rule import BanRule

# The weakest adapter that takes this share of the slop away, or the one that brings it to the human rate.
Target = float | Literal["human"]


def at_strength(
    strength: float,
    after: LanguageModel,
    before: LanguageModel,
    aim: Locatable,
    prompts: Sequence[Prompt],
    texts_before: Sequence[Generation],
    texts_after: Sequence[Generation],
) -> list[Evidence]:
    """What an adapter of some strength does to what is aimed at, and how far it takes the model from where it was."""
    name = "slop_per_1k_words" if isinstance(aim, Slop) else aim.name
    measured = [slop_rate(name, aim, prompts, texts_before, texts_after), drift(before, after, texts_before)]
    return [line.model_copy(update={"group": f"adapter strength {strength:g}"}) for line in measured]


def weakest_enough(
    strengths: Sequence[float], lines: Sequence[Evidence], target: Target, rules: Sequence[BanRule], what: str = "slop"
) -> tuple[float, str]:
    """The weakest strength that does enough, and why it was taken; where none does, the strongest.

    Args:
        strengths: that were tried; none: the whole adapter is kept.
        lines: for each, how much slop there is before and after.
        target: what is enough.
        rules: the list that was counted, with what people do.
        what: was counted, in a word.
    """
    if not strengths:
        return 1.0, "adapter strength: 1, as no other was to be tried"
    strongest = max(strengths)
    if target == "human" and not rules:
        return strongest, f"adapter strength: {strongest:g}, as nothing on the list has a human rate to reach"
    if not lines[0].before:
        return (
            strongest,
            f"adapter strength: {strongest:g}, as there was nothing of {what} to measure by",
        )
    human = sum(rule.overuse.human_rate_per_1k_words for rule in rules if rule.overuse)
    most = {
        strength: human if target == "human" else (1 - target) * line.before
        for strength, line in zip(strengths, lines, strict=True)
    }
    aim = f"the human rate, {human:.2g} per 1,000 words" if target == "human" else f"{target:.0%} less {what}"
    left = {strength: line.after for strength, line in zip(strengths, lines, strict=True)}
    enough = [strength for strength in strengths if left[strength] <= most[strength]]
    if not enough:
        return (
            strongest,
            f"adapter strength: {strongest:g}, the strongest; none came to {aim} ({left[strongest]:.2g} left)",
        )
    weakest = min(enough)
    return weakest, (
        f"adapter strength: {weakest:g}, the weakest that came to {aim} on the prompts that were learned from "
        f"({left[weakest]:.2g} of {lines[0].before:.2g} per 1,000 words left)"
    )
