"""What a change cost elsewhere: drift, fluency, variety, length, repetition, refusals."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from planish.find.behaviour import Behaviour
from planish.models.language_model import LanguageModel
from planish.models.scoring import kl_divergence, token_distributions, token_log_probs
from planish.prove.evidence import Tally, compare, pooled_rate, tally, tally_scores
from planish.records.evidence import Evidence
from planish.records.generation import Generation, successes
from planish.records.prompt import Prompt
from planish.text.repetition import words_in_repetitions
from planish.text.words import words

# From here on, a score counts as a yes.
LIKELY = 0.5


def variety_and_length(before: Sequence[Generation], after: Sequence[Generation]) -> list[Evidence]:
    """Distinct word pairs, which may not fall by more than a hundredth, and words a text, within a tenth either way."""
    pairs, lengths = tally(before, _pairs), tally(before, _length)
    hundredth, tenth = 0.01 * pooled_rate(pairs), 0.1 * pooled_rate(lengths)
    return [
        compare("distinct_2", "share", "words", pairs, tally(after, _pairs), better="higher", margin=hundredth),
        compare("words_per_text", "words", "words", lengths, tally(after, _length), better="same", margin=tenth),
    ]


def repetition(before: Sequence[Generation], after: Sequence[Generation]) -> Evidence:
    """The share of words inside four words that come again in the same text; it may rise by one word in a hundred."""
    sides = (tally(side, _repeated) for side in (before, after))
    return compare("repetition", "share", "words", *sides, better="lower", margin=0.01)


def refusal_share(
    refusals: Behaviour, prompts: Sequence[Prompt], before: Sequence[Generation], after: Sequence[Generation]
) -> Evidence:
    """The share of texts that refuse; it may rise by one in a hundred."""
    sides = (
        tally_scores(refusals, prompts, side, lambda score: (score.value >= LIKELY, 1)) for side in (before, after)
    )
    return compare("refusal_share", "share", refusals.name, *sides, better="lower", margin=0.01)


def drift(
    model: LanguageModel, tuned: LanguageModel, before: Sequence[Generation], name: str = "kl_per_token"
) -> Evidence:
    """How far the tuned model has moved on what the plain one wrote: KL(before ‖ after) a token."""
    tallies: dict[str, list[Tally]] = {}
    for item, first, second in token_distributions(model, tuned, successes(before)):
        divergence = float(kl_divergence(first, second).sum())
        tallies.setdefault(item.prompt_id, []).append((divergence, len(item.token_ids)))
    none = {prompt: [(0.0, tokens) for _, tokens in items] for prompt, items in tallies.items()}
    return compare(name, "nats", "the models themselves", none, tallies, better="same", margin=0.2)


def fluency(model: LanguageModel, before: Sequence[Generation], after: Sequence[Generation]) -> Evidence:
    """How well the plain model itself would have foreseen what it wrote plain, and what it wrote steered."""

    def losses(generations: Sequence[Generation]) -> dict[str, list[Tally]]:
        known = {item.id: float(-log_probs.sum()) for item, log_probs in token_log_probs(model, generations)}
        return tally(generations, lambda item: (known[item.id], len(item.token_ids)))

    return compare(
        "perplexity_conditional", "", "the plain model", losses(before), losses(after), better="lower", finish=np.exp
    )


def _pairs(generation: Generation) -> Tally:
    said = words(generation.text)
    pairs = list(pairwise(said))
    return len(set(pairs)), len(pairs)


def _repeated(generation: Generation) -> Tally:
    said = words(generation.text)
    return words_in_repetitions(said), len(said)


def _length(generation: Generation) -> Tally:
    return len(words(generation.text)), 1
