"""What a change cost elsewhere: drift, variety, length."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from planish.models.language_model import LanguageModel
from planish.models.scoring import kl_divergence, token_distributions, token_log_probs
from planish.prove.evidence import Tally, compare, tally
from planish.records.evidence import Evidence
from planish.records.generation import Generation, successes
from planish.text.words import words


def variety_and_length(before: Sequence[Generation], after: Sequence[Generation]) -> list[Evidence]:
    """Distinct word pairs, within 0.05, and words a text, within a tenth of what a text had: neither should move."""
    lengths = tally(before, _length)
    texts = [length for tallies in lengths.values() for length, _ in tallies]
    tenth = 0.1 * sum(texts) / max(1, len(texts))
    return [
        compare(
            "distinct_2", "share", "words", tally(before, _pairs), tally(after, _pairs), better="same", margin=0.05
        ),
        compare("words_per_text", "words", "words", lengths, tally(after, _length), better="same", margin=tenth),
    ]


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


def _length(generation: Generation) -> Tally:
    return len(words(generation.text)), 1
