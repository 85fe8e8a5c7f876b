"""Control tokens of a model."""

from collections.abc import Sequence

import torch

from planish.models.language_model import LanguageModel


def add_tags(model: LanguageModel, names: Sequence[str], seed: int = 0) -> None:
    """Add control tokens to a model, in place. Each starts as the mean embedding plus noise.

    The noise is as wide as the embeddings themselves. With much less, all tags start as the same vector, get the same
    gradients, and stay the same.

    Source: Korbak et al., Pretraining language models with human preferences (2023), appendix on implementation.
    """
    model.tokenizer.add_special_tokens({"additional_special_tokens": list(names)}, replace_extra_special_tokens=False)
    ids = [model.tokenizer.get_vocab()[name] for name in names]
    model.model.resize_token_embeddings(max(model.vocabulary, max(ids) + 1), mean_resizing=False)
    # The first id is part of the seed, so that tags which are added later do not start where earlier ones did.
    generator = torch.Generator().manual_seed(seed + ids[0])
    weights = [model.model.get_input_embeddings().weight, model.model.get_output_embeddings().weight]
    with torch.no_grad():
        for weight in weights[:1] if weights[0] is weights[1] else weights:
            mean = weight[: min(ids)].mean(0)
            spread = weight[: min(ids)].std(0)
            weight[ids] = mean + spread * torch.randn(len(ids), len(mean), generator=generator).to(mean)
    model.model.config.planish_tags = model.tags | dict(zip(names, ids, strict=True))
