"""Whether a server has the model that is here."""

import math
from collections.abc import Mapping
from statistics import mean

import torch
from torch import Tensor

from planish.errors import ModelError
from planish.models.bundled import writing_prompts
from planish.models.endpoint import Endpoint
from planish.models.language_model import LanguageModel
from planish.prove.reference import reference_passages
from planish.records.prompt import Prompt, opening

# So many requests, through the chat template, and so many beginnings of plain prose, of so many words.
PROBES, OPENING_WORDS = 6, 24
# Total variation, from 0 to 1, on the average. For the bundled model: 0.01 from itself in 8 bits, 0.05 in 4
# bits, 0.2 in 3 bits of the crudest kind; 0.8 from a model with another tokenizer.
MOST_APART = 0.3


def require_same_model(endpoint: Endpoint, model: LanguageModel) -> None:
    """Check that a server foresees the next token as the weights here do.

    A copy in fewer bits passes. So does a close relative, such as the same model after a little training: that cannot
    be told from rounding.

    Raises:
        ModelError: it does not, or cannot be asked.
    """
    hint = f"serve {model.name!r} there, or give the model that is served"
    try:
        apart = mean(distance(endpoint, model, prompt) for prompt in _probes())
    except ModelError as error:  # such as ids that its model does not have
        raise ModelError(f"{model.name!r} is not read as here: {error.message}", hint) from error
    if apart > MOST_APART:
        raise ModelError(
            f"{endpoint.url} serves {endpoint.model!r}, which is not {model.name!r}: next tokens differ by {apart:.2f} "
            f"(total variation on {2 * PROBES} prompts; at most {MOST_APART})",
            hint,
        )


def distance(endpoint: Endpoint, model: LanguageModel, prompt: Prompt) -> float:
    """How far apart the two are on the token after a prompt, in [0, 1]: total variation, as far as the server shows."""
    ids = model.encode(prompt)
    with torch.no_grad():
        states, _ = model.hidden_alone(ids)
        here = model.head(states[-1]).softmax(-1).cpu()
    asked = min(model.end_ids, default=0)
    there = {token: math.exp(logprob) for token, logprob in endpoint.candidates(ids, asked).items()}
    # What is not shown is no likelier than what is, but for the token that was asked for: it is always shown.
    return total_variation(here, there, most=min(there[token] for token in there if token != asked))


def _probes() -> list[Prompt]:
    beginnings = [" ".join(passage.split()[:OPENING_WORDS]) for passage in reference_passages()[:PROBES]]
    return [*writing_prompts()[:PROBES], *map(opening, beginnings)]


def total_variation(here: Tensor, there: Mapping[int, float], most: float) -> float:
    """Total variation between probabilities (V,) and others, of which those not known are at most so large."""
    more_there = sum(max(0.0, p - (float(here[token]) if token < len(here) else 0.0)) for token, p in there.items())
    others = torch.full_like(here, most)
    for token, p in there.items():
        if token < len(here):
            others[token] = p
    return max(more_there, float((here - others).clamp(min=0).sum()))
