"""The lines that say whether slop went, and what it cost: for any two models, however the second was made."""

from collections.abc import Sequence

from planish.find.behaviour import Behaviour
from planish.find.refusals import Refusals
from planish.models.language_model import LanguageModel
from planish.prove.collateral import drift, refusal_share, repetition, variety_and_length
from planish.prove.evidence import compare, tally_hits
from planish.prove.reference import perplexity_reference
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import Prompt


def slop_rate(
    name: str, slop: Behaviour, prompts: Sequence[Prompt], before: Sequence[Generation], after: Sequence[Generation]
) -> Evidence:
    """A list's hits in a thousand words; fewer are better."""
    sides = (tally_hits(slop, prompts, side, per="words") for side in (before, after))
    return compare(name, "per 1k words", f"list {slop.version}", *sides, better="lower")


def antislop_evidence(
    model: LanguageModel,
    tuned: LanguageModel,
    prompts: Sequence[Prompt],
    before: Sequence[Generation],
    after: Sequence[Generation],
    discovered: Behaviour | None,
    index: Behaviour,
    reference: Sequence[str],
) -> list[Evidence]:
    """The list that was aimed at, then the independent one, then what else may have moved.

    Args:
        model: the model before.
        tuned: the model after, with the same tokenizer.
        prompts: those that the texts were written for; nothing was learned from them.
        before: what the model wrote.
        after: what the tuned model wrote, on the same prompts and seeds.
        discovered: the list that was trained against; None where there is none.
        index: a list from another source.
        reference: passages of human prose.
    """
    aimed_at = [] if discovered is None else [slop_rate("slop_per_1k_words", discovered, prompts, before, after)]
    return [
        *aimed_at,
        slop_rate("slop_index", index, prompts, before, after),
        drift(model, tuned, before),
        *variety_and_length(before, after),
        repetition(before, after),
        refusal_share(Refusals(), prompts, before, after),
        perplexity_reference(model, tuned, reference),
    ]
