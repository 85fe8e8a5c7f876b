import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import MistralConfig, MistralForCausalLM

from planish.models.language_model import LanguageModel
from planish.models.scoring import (
    ROWS,
    continuation_states,
    hidden_states,
    kl_divergence,
    token_distributions,
    token_log_probs,
)
from planish.models.tiny import tiny_llama, tiny_tokenizer
from planish.records.generation import Generation

log_probs = st.lists(st.floats(-9, 9), min_size=6, max_size=6).map(
    lambda row: torch.tensor(row).double().log_softmax(0)
)


def generation(number: int, prompt: list[int], tokens: list[int]) -> Generation:
    return Generation(
        id=str(number),
        prompt_id="p",
        sample=0,
        seed=0,
        text="",
        prompt_token_ids=tuple(prompt),
        token_ids=tuple(tokens),
        char_ends=(),
        finish="length",
    )


def some_generations(count: int) -> list[Generation]:
    draws = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 12, (count, 2), generator=draws).tolist()
    return [
        generation(number, *(torch.randint(3, 250, (length,), generator=draws).tolist() for length in pair))
        for number, pair in enumerate(lengths)
    ]


@pytest.fixture(scope="module", params=["full attention", "a sliding window"])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    if request.param == "full attention":
        return tiny_llama()
    config = MistralConfig(
        vocab_size=259,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=4,
        initializer_range=0.4,
    )
    return LanguageModel(MistralForCausalLM(config), tiny_tokenizer(), name="windowed")


@torch.no_grad()
def test_log_probabilities_are_those_of_one_plain_pass_a_text(model: LanguageModel) -> None:
    generations = some_generations(2 * ROWS + 3)
    scored = list(token_log_probs(model, generations))
    assert [item for item, _ in scored] == generations
    for item, values in scored:
        ids = [*item.prompt_token_ids, *item.token_ids]
        plain = model.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        first = len(item.prompt_token_ids)
        wanted = [plain[place - 1, ids[place]] for place in range(first, len(ids))]
        torch.testing.assert_close(values, torch.stack(wanted), atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_models_distributions_are_its_own_at_every_token(model: LanguageModel) -> None:
    other = tiny_llama(seed=1)
    for item, own, others in token_distributions(model, other, some_generations(5)):
        ids = torch.tensor([[*item.prompt_token_ids, *item.token_ids]])
        first = len(item.prompt_token_ids) - 1
        for judge, found in ((model, own), (other, others)):
            wanted = judge.model(ids).logits[0, first:-1].log_softmax(-1)
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_what_failed_is_not_scored(tiny: LanguageModel) -> None:
    failed = generation(0, [], []).model_copy(update={"status": "failed", "finish": "failed"})
    sound = some_generations(2)
    assert [item for item, _ in continuation_states(tiny, [failed])] == []
    assert [item for item, _ in continuation_states(tiny, [sound[0], failed, sound[1]])] == sound


def test_gradients_flow_through_hidden_states() -> None:
    model = tiny_llama()
    hidden_states(model, [[3, 4, 5], [6]]).sum().backward()
    assert all(parameter.grad is not None for parameter in model.decoder.parameters())


@given(log_probs, log_probs)
def test_the_divergence_is_0_only_between_equals(first: torch.Tensor, second: torch.Tensor) -> None:
    assert float(kl_divergence(first, first)) == 0
    # Pinsker's inequality.
    apart = float((first.exp() - second.exp()).abs().sum())
    assert float(kl_divergence(first, second)) >= apart**2 / 2 - 1e-9


def test_the_divergence_is_in_nats_and_taken_along_the_last_axis() -> None:
    first, second = torch.tensor([[[0.5, 0.5]]]).log(), torch.tensor([[[0.25, 0.75]]]).log()
    wanted = 0.5 * torch.tensor(2.0).log() + 0.5 * torch.tensor(2 / 3).log()
    torch.testing.assert_close(kl_divergence(first, second), wanted.reshape(1, 1))
