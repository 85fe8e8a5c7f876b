"""What a model thinks of a text that is already written, and how far two models are apart on it.

Axes: `B` rows, `T` positions, `D` width, `V` vocabulary.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from planish.models.attention_mask import additive_mask
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation

ROWS = 32


def hidden_states(model: LanguageModel, paths: Sequence[Sequence[int]]) -> Tensor:
    """Final hidden states of whole token sequences, (B, T, D), padded on the right; gradients flow."""
    if model.alone_because:
        return pad_sequence([model.hidden_alone(path)[0] for path in paths], batch_first=True)
    lengths = torch.tensor([len(path) for path in paths], device=model.device)
    longest = int(lengths.max())
    ids = torch.zeros(len(paths), longest, dtype=torch.long, device=model.device)
    for row, path in enumerate(paths):
        ids[row, : len(path)] = torch.tensor(path, device=model.device)
    positions = torch.arange(longest, device=model.device)
    back = positions[:, None] - positions[None, :]

    def mask(window: int | None) -> Tensor:
        # Padding stands to the right of everything real, so looking back never meets it.
        seen = (back >= 0) & (back < (window or longest))
        return additive_mask(seen[None, None], model.model.dtype)

    return model.hidden(ids, positions[None], mask)


@torch.no_grad()
def continuation_states(model: LanguageModel, generations: Sequence[Generation]) -> Iterator[tuple[Generation, Tensor]]:
    """For each generation that succeeded, the hidden states (T, D) from which each of its T tokens was predicted."""
    generations = [item for item in generations if item.status == "ok" and item.token_ids]
    for start in range(0, len(generations), ROWS):
        block = generations[start : start + ROWS]
        states = hidden_states(model, [(*item.prompt_token_ids, *item.token_ids) for item in block])
        for row, item in zip(states, block, strict=True):
            first = len(item.prompt_token_ids) - 1
            yield item, row[first : first + len(item.token_ids)]


@torch.no_grad()
def token_log_probs(model: LanguageModel, generations: Sequence[Generation]) -> Iterator[tuple[Generation, Tensor]]:
    """For each generation, the log-probability of each of its tokens, (T,)."""
    for item, states in continuation_states(model, generations):
        chosen = torch.tensor(item.token_ids, device=model.device)[:, None]
        yield item, model.head(states).log_softmax(-1).gather(1, chosen)[:, 0]


@torch.no_grad()
def token_distributions(
    first: LanguageModel, second: LanguageModel, generations: Sequence[Generation]
) -> Iterator[tuple[Generation, Tensor, Tensor]]:
    """For each generation, the two models' log-probabilities at each of its tokens, (T, V) twice."""
    for (item, own), (_, other) in zip(
        continuation_states(first, generations), continuation_states(second, generations), strict=True
    ):
        # One may have tags beyond the vocabulary of the other; they are never sampled.
        common = min(first.vocabulary, second.vocabulary)
        yield item, first.head(own)[:, :common].log_softmax(-1), second.head(other)[:, :common].log_softmax(-1)


def kl_divergence(first: Tensor, second: Tensor) -> Tensor:
    """KL(first ‖ second) of log-probabilities, (..., V) to (...), in nats."""
    return (first.exp() * (first - second)).sum(-1)
