from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    Gemma3Config,
    Gemma3TextConfig,
    LlamaConfig,
    MambaConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from planish.models.language_model import LanguageModel
from planish.records.preference import Point, TokenPreferences
from planish.train.path_rows import PathRows, collated
from planish.train.point_states import point_states
from tiny_models import SIZES, SPREAD, VOCABULARY, gemma2, gpt2, random_model

SEES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 14,
}

CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**SIZES),
    "gemma2": gemma2,
    "gemma3": lambda: Gemma3TextConfig(**SIZES, head_dim=8, sliding_window=6),
    "gemma3 that sees": lambda: Gemma3Config(
        text_config={**SIZES, "head_dim": 8, "sliding_window": 6},
        vision_config=SEES,
        mm_tokens_per_image=4,
        image_token_index=250,
        boi_token_index=251,
        eoi_token_index=252,
    ),
    "gpt2": gpt2,
    "qwen2, tied": lambda: Qwen2Config(**SIZES, tie_word_embeddings=True),
    "bloom, by alibi": lambda: BloomConfig(
        vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, initializer_range=SPREAD
    ),
    "mamba, recurrent": lambda: MambaConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=SPREAD
    ),
}


def paths() -> list[TokenPreferences]:
    """From 1 token to far beyond a window of 6, so that all but one are padded."""
    draws = torch.Generator().manual_seed(0)
    return [
        TokenPreferences(
            generation_id=str(length),
            token_ids=tuple(torch.randint(3, 250, (length,), generator=draws).tolist()),
            prompt_length=1,
            points=tuple(
                Point(position=at, rejected=3, chosen=(4,), chosen_probs=(), rule="r") for at in range(1, length + 1, 3)
            ),
        )
        for length in (24, 1, 7, 13)
    ]


@pytest.mark.parametrize("is_training", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_the_states_are_those_of_each_path_alone(name: str, is_training: bool) -> None:
    model = random_model(CONFIGS[name](), name)
    for module in model.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    alone = [model.model(input_ids=torch.tensor([path.token_ids]), output_hidden_states=True) for path in paths()]
    at = [(number, point.position - 1) for number, path in enumerate(paths()) for point in path.points]
    model.model.train(is_training)
    rows = PathRows(paths())
    states = point_states(model.model, model, collated([rows[index] for index in range(len(rows))]))
    owed = torch.stack([alone[number].hidden_states[-1][0, place] for number, place in at])
    torch.testing.assert_close(states, owed, rtol=1e-5, atol=1e-5 * float(owed.abs().max()))
    logits = torch.stack([alone[number].logits[0, place] for number, place in at])
    assert logits.std() > 0.1, "a model that says nothing shows nothing"
    model.model.eval()
    torch.testing.assert_close(model.head(states), logits, rtol=1e-5, atol=1e-5 * float(logits.abs().max()))


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_in_bfloat16_they_are_as_near_as_its_digits_go(name: str) -> None:
    """Where passes are shaped otherwise, sums go in another order."""
    model = random_model(CONFIGS[name](), name)
    model = LanguageModel(model.model.to(torch.bfloat16), model.tokenizer, name)
    rows = PathRows(paths())
    states = point_states(model.model, model, collated([rows[index] for index in range(len(rows))])).float()
    alone = [
        model.model(input_ids=torch.tensor([path.token_ids]), output_hidden_states=True).hidden_states[-1][0].float()
        for path in paths()
    ]
    owed = torch.cat([alone[number][::3] for number in range(len(alone))])
    assert float((states - owed).norm() / owed.norm()) < 2**-5


def test_gradients_go_through_the_states_as_through_the_model() -> None:
    model = random_model(CONFIGS["llama"](), "llama")
    rows = PathRows(paths()[:1])
    weight = model.model.get_parameter("model.layers.0.mlp.down_proj.weight")
    states = point_states(model.model, model, collated([rows[0]]))
    (found,) = torch.autograd.grad(states.square().sum(), weight)
    whole = model.model(input_ids=torch.tensor([paths()[0].token_ids]), output_hidden_states=True).hidden_states[-1]
    (owed,) = torch.autograd.grad(whole[0, ::3].square().sum(), weight)
    torch.testing.assert_close(found, owed, rtol=1e-4, atol=1e-4 * float(owed.abs().max()))


@torch.no_grad()
def test_the_head_is_not_asked_for_what_nobody_wants() -> None:
    model = random_model(CONFIGS["llama"](), "llama")
    asked: list[int] = []
    handle = model.model.get_output_embeddings().register_forward_hook(
        lambda _, given, __: asked.append(given[0].shape[1])
    )
    rows = PathRows(paths())
    point_states(model.model, model, collated([rows[index] for index in range(len(rows))]))
    handle.remove()
    assert asked == [1]


def test_the_model_is_as_before_also_where_it_failed() -> None:
    model = random_model(CONFIGS["llama"](), "llama")
    ids = torch.tensor([paths()[0].token_ids])
    before = model.model(input_ids=ids).logits
    with pytest.raises(IndexError):
        point_states(model.model, model, {"input_ids": ids + 10**6, "rows": ids[0] * 0, "positions": ids[0] * 0})
    assert torch.equal(model.model(input_ids=ids).logits, before)
