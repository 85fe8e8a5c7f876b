"""Which tokens one model expects more than another, on the same texts."""

from collections.abc import Sequence

import torch

from planish.models.language_model import LanguageModel
from planish.models.scoring import token_distributions
from planish.records.generation import Generation
from planish.records.record import Record


class TokenShift(Record):
    """How often each model expects a token in a thousand tokens of text, and how much more the second does."""

    token_id: int
    token: str
    first_per_1k: float
    second_per_1k: float
    gained: float


def token_shifts(first: LanguageModel, second: LanguageModel, texts: Sequence[Generation]) -> list[TokenShift]:
    """Every token of the vocabulary, most lost first: the models' probabilities for it, summed over all positions."""
    totals = torch.zeros(2, first.vocabulary)
    tokens = 0
    for item, own, other in token_distributions(first, second, texts):
        totals += torch.stack([own.exp().sum(0), other.exp().sum(0)]).cpu()
        tokens += len(item.token_ids)
    rates = (1000 * totals / tokens).tolist()
    pieces = first.tokenizer.convert_ids_to_tokens(list(range(first.vocabulary)))
    shifts = [
        TokenShift(token_id=token_id, token=piece or "", first_per_1k=was, second_per_1k=now, gained=now - was)
        for token_id, (piece, was, now) in enumerate(zip(pieces, *rates, strict=True))
    ]
    return sorted(shifts, key=lambda shift: shift.gained)
