"""The engine against `model.generate`, and the engine with a ban against itself without."""

import sys

import torch
from claim import measure
from transformers import GenerationConfig

from planish.find.slop import Slop
from planish.models.bundled import slop_index_rules, writing_prompts
from planish.models.loading import load_model
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

BATCH, TOKENS = 32, 100


def main() -> int:
    """Measure on the bundled model."""
    model = load_model("bundled")
    prompts = writing_prompts()[:BATCH]
    sampling = Sampling(max_tokens=TOKENS, min_tokens=TOKENS)
    plain = Engine(model, sampling=sampling)
    banned = Engine(model, [Ban(Slop(slop_index_rules()))], sampling)

    rows = [model.encode(prompt) for prompt in prompts]
    longest = max(map(len, rows))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
    seen = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    settings = GenerationConfig(
        do_sample=True, top_k=0, max_new_tokens=TOKENS, min_new_tokens=TOKENS, pad_token_id=3, eos_token_id=0
    )

    def library() -> None:
        model.model.generate(ids, attention_mask=seen, generation_config=settings)

    library()
    plain.generate(prompts[:2])
    holds = [
        measure("decoding, as a share of model.generate's speed", library, lambda: plain.generate(prompts), 0.6),
        measure(
            "decoding with 319 bans, as a share of plain decoding's speed",
            lambda: plain.generate(prompts),
            lambda: banned.generate(prompts),
            0.7,
        ),
    ]
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main())
