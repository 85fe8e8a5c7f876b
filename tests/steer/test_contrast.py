import math

import pytest
import torch
from custom_steers import Adjust
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from planish.errors import UsageError
from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.records.prompt import opening
from planish.steer.contrast import Contrast, contrasted
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

PROMPTS = [opening("Hello"), opening("A rather long beginning")]
SHORT = Sampling(max_tokens=20)
EVERYTHING = 1e-30  # as a limit of plausibility: nothing falls below it
rows = arrays.arrays("float32", (2, 12), elements=st.floats(-8, 8, width=32)).map(torch.from_numpy)
strengths = st.floats(0, 4)


def distributions(logits: Tensor, other: Tensor, strength: float, plausible: float) -> Tensor:
    return contrasted(logits.double(), other.double(), strength, plausible).softmax(-1)


@given(rows, strengths, st.floats(0.001, 1))
def test_a_model_set_apart_from_itself_is_itself(logits: Tensor, strength: float, plausible: float) -> None:
    result = contrasted(logits, logits, strength, plausible).log_softmax(-1)
    torch.testing.assert_close(result, logits.log_softmax(-1), atol=1e-5, rtol=0)


@given(rows, rows, strengths)
def test_the_result_is_the_ratio_of_the_two_raised_to_the_strength(
    logits: Tensor, other: Tensor, strength: float
) -> None:
    own, others = logits.double().softmax(-1), other.double().softmax(-1)
    wanted = own * (own / others) ** strength
    result = distributions(logits, other, strength, EVERYTHING)
    torch.testing.assert_close(result, wanted / wanted.sum(-1, keepdim=True), atol=1e-6, rtol=0)


@given(rows, rows, st.floats(0.01, 1))
def test_strength_towards_0_converges_to_the_plain_model(logits: Tensor, other: Tensor, plausible: float) -> None:
    own = logits.double().softmax(-1)
    for strength in (1e-2, 1e-4, 1e-6):
        distance = (distributions(logits, other, strength, plausible) - own).abs().sum(-1)
        # Log-ratios of two rows of such logits are below 32.
        assert float(distance.max()) <= 2 * math.expm1(64 * strength)


@given(rows, rows, st.floats(0.01, 4), st.floats(0.01, 0.9))
def test_an_implausible_token_never_gains(logits: Tensor, other: Tensor, strength: float, plausible: float) -> None:
    own = logits.double().log_softmax(-1)
    implausible = own < own.amax(-1, keepdim=True) + math.log(plausible)
    gain = contrasted(logits.double(), other.double(), strength, plausible) - own
    assert float(torch.where(implausible, gain, 0.0).max()) <= 1e-9


# --- through the engine


def test_writing_apart_from_itself_is_plain_writing(tiny: LanguageModel) -> None:
    plain = Engine(tiny, sampling=SHORT).generate(PROMPTS, samples=4)
    texts = Engine(tiny, [Contrast(tiny, strength=1.0)], SHORT).generate(PROMPTS, samples=4)
    assert [text.token_ids for text in texts] == [text.token_ids for text in plain]


def test_writing_apart_from_another_model_sees_both_models_logits(tiny: LanguageModel) -> None:
    # Greedy decoding step by step with two plain models is the slow reference.
    other, strength, plausible = tiny_llama(seed=1), 0.7, 0.1
    (text,) = Engine(tiny, [Contrast(other, strength, plausible)], Sampling(max_tokens=15, temperature=0)).generate(
        [PROMPTS[0]]
    )
    ids = tiny.encode(PROMPTS[0])
    with torch.no_grad():
        for token in text.token_ids:
            own, others = (model.model(torch.tensor([ids])).logits[:, -1] for model in (tiny, other))
            assert token == int(contrasted(own, others, strength, plausible).argmax())
            ids.append(token)


def test_a_vanishing_strength_writes_what_the_plain_model_writes(tiny: LanguageModel) -> None:
    plain = Engine(tiny, sampling=SHORT).generate(PROMPTS, samples=4)
    texts = Engine(tiny, [Contrast(tiny_llama(seed=1), strength=1e-7)], SHORT).generate(PROMPTS, samples=4)
    assert [text.token_ids for text in texts] == [text.token_ids for text in plain]


def test_a_model_with_another_tokenizer_is_refused(tiny: LanguageModel) -> None:
    other = tiny_llama()
    add_tags(other, ["<|good|>"])
    with pytest.raises(UsageError):
        Engine(tiny, [Contrast(other)])


def test_a_model_with_the_same_tokenizer_and_a_padded_head_is_no_accident(tiny: LanguageModel) -> None:
    # As in families of models whose larger members round the number of logits up.
    padded = tiny_llama(seed=1)
    padded.model.resize_token_embeddings(tiny.vocabulary + 29, mean_resizing=False)
    try:
        engine = Engine(tiny, [Contrast(padded)], SHORT)
    except UsageError:
        return
    assert [text.status for text in engine.generate(PROMPTS)] == ["ok", "ok"]


def test_a_prompt_must_fit_the_context_of_both_models(tiny: LanguageModel) -> None:
    small = tiny_llama(seed=1)
    small.model.config.max_position_embeddings = 12
    texts = Engine(tiny, [Contrast(small)], SHORT).generate(PROMPTS)
    assert [text.status for text in texts] == ["ok", "failed"]
    assert "12" in texts[1].error
    assert len(texts[0].token_ids) <= 12 - len(tiny.encode(PROMPTS[0]))


def test_later_steers_see_what_the_contrast_left(tiny: LanguageModel) -> None:
    seen: list[Tensor] = []

    def look(row: object, logits: Tensor) -> Tensor:
        seen.append(logits)
        return logits

    other = tiny_llama(seed=1)
    Engine(tiny, [Adjust("forbid", look), Contrast(other, 0.7)], Sampling(max_tokens=1)).generate(PROMPTS[:1])
    ids = torch.tensor([tiny.encode(PROMPTS[0])])
    with torch.no_grad():
        wanted = contrasted(tiny.model(ids).logits[:, -1], other.model(ids).logits[:, -1], 0.7, 0.1)
    torch.testing.assert_close(seen[0].log_softmax(-1), wanted[0].log_softmax(-1), atol=1e-4, rtol=0)
