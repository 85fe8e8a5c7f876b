import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.train import float32_head as module
from planish.train.adapter import Adapted, AdapterSettings, with_adapter
from planish.train.float32_head import float32_head
from tiny_models import SOFTCAP, gemma2, in_bfloat16, random_model


def states_of(model: LanguageModel, rows: int = 40) -> Tensor:
    draws = torch.Generator().manual_seed(3)
    return (2 * torch.randn(rows, model.width, generator=draws)).to(model.model.dtype)


def in_float64(model: LanguageModel, states: Tensor) -> Tensor:
    logits: Tensor = states.double() @ model.model.get_output_embeddings().weight.detach().double().T
    return SOFTCAP * (logits / SOFTCAP).tanh() if model.name == "softcapped" else logits


def apart(found: Tensor, owed: Tensor) -> float:
    """How far two tensors are apart, measured by the largest value owed."""
    return float((found.double() - owed.double()).abs().max() / owed.double().abs().max())


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("kind", ["tiny", "softcapped"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@torch.no_grad()
def test_logits_are_those_of_exact_multiplication(kind: str, dtype: str, autocast: bool, tiny: LanguageModel) -> None:
    model = tiny if kind == "tiny" else random_model(gemma2(), "softcapped")
    model = in_bfloat16(model) if dtype == "bfloat16" else model
    states = states_of(model)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        plain = model.head(states)
        with float32_head(model):
            logits = model.head(states)
        again = model.head(states)
    assert logits.dtype == torch.float32
    assert apart(logits, in_float64(model, states)) < 1e-5
    assert torch.equal(again, plain), "it does not end"
    if autocast or dtype == "bfloat16":
        assert apart(plain, in_float64(model, states)) > 1e-4, "there was nothing to mend"


@pytest.mark.parametrize("rows", [1, 100, 259, 10_000])
@pytest.mark.parametrize("bias", [False, True])
def test_in_however_many_parts_values_and_gradients_are_those_of_a_float32_copy(
    rows: int, bias: bool, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", rows)
    model = in_bfloat16(tiny)
    whole = LanguageModel(copy.deepcopy(model.model).float(), model.tokenizer, "copy")
    for each in (model, whole):
        if bias:
            values = torch.linspace(-1, 1, each.vocabulary).to(torch.bfloat16).to(each.model.dtype)
            each.model.get_output_embeddings().bias = torch.nn.Parameter(values)
    adapted, reference = (moved(each) for each in (model, whole))
    found, owed = (values_and_gradients(each, states_of(model)) for each in (adapted, reference))
    assert len(found) == 4
    for one, other in zip(found, owed, strict=True):
        assert other.abs().sum() > 0
        # The gradient of a bfloat16 state is itself rounded.
        assert apart(one, other) < (2**-8 if one.dtype == torch.bfloat16 else 1e-5)


def moved(model: LanguageModel) -> Adapted:
    """With an adapter on the head that does something, the same whatever the model is in."""
    adapted = with_adapter(model, AdapterSettings(rank=4, targets=("lm_head",)))
    draws = torch.Generator().manual_seed(1)
    for name, weight in adapted.adapter.named_parameters():
        if "lora_" in name:
            weight.data = 0.3 * torch.randn(weight.shape, generator=draws)
    return adapted


def values_and_gradients(adapted: Adapted, states: Tensor) -> list[Tensor]:
    """The logits, and what some of their sum gives the states and the adapter's two parts."""
    states = states.to(adapted.model.model.dtype).requires_grad_()
    weights = [weight for weight in adapted.adapter.parameters() if weight.requires_grad]
    with float32_head(adapted.model):
        logits = adapted.model.head(states)
    # Backward comes when the head is as it was again.
    return [logits.detach(), *torch.autograd.grad(logits.sin().sum(), [states, *weights])]


def test_it_is_told_apart_whether_the_adapter_is_on(tiny: LanguageModel) -> None:
    adapted = moved(in_bfloat16(tiny))
    states = states_of(adapted.model)
    with torch.no_grad(), float32_head(adapted.model):
        on = adapted.model.head(states)
        with adapted.adapter.disable_adapter():
            off = adapted.model.head(states)
    assert apart(off, in_float64(in_bfloat16(tiny), states)) < 1e-5
    weights = dict(adapted.adapter.named_parameters())
    first, second = (
        next(value for name, value in weights.items() if part in name).detach().double()
        for part in ("lora_A", "lora_B")
    )
    assert apart(on, off.double() + states.double() @ first.T @ second.T) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_head_is_as_before_where_something_failed(dtype: torch.dtype, tiny: LanguageModel) -> None:
    model = LanguageModel(copy.deepcopy(tiny.model).to(dtype), tiny.tokenizer, "tiny")
    before = model.head(states_of(model))
    output = model.model.get_output_embeddings()
    kept = dict(vars(output))

    def fail() -> None:
        with float32_head(model):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert vars(output) == kept
    assert torch.equal(model.head(states_of(model)), before)


def test_what_others_have_put_before_the_head_is_there_afterwards(tiny: LanguageModel) -> None:
    """Libraries that move weights between devices replace `forward` in the same way."""
    model = in_bfloat16(tiny)
    output: Any = model.model.get_output_embeddings()
    plain = output.forward
    calls: list[int] = []

    def others(hidden: Tensor) -> Tensor:
        calls.append(1)
        result: Tensor = plain(hidden)
        return result

    output.forward = others
    with float32_head(model):
        model.head(states_of(model))
    calls.clear()
    output(states_of(model))
    assert calls


def test_an_embedding_that_shares_the_weights_reads_as_before(tiny: LanguageModel) -> None:
    model = in_bfloat16(tiny)
    assert model.model.get_input_embeddings().weight is model.model.get_output_embeddings().weight
    with float32_head(model):
        assert model.model.get_input_embeddings()(torch.tensor([3])).dtype == torch.bfloat16
        assert isinstance(model.decoder(input_ids=torch.tensor([[3, 4]])).last_hidden_state, Tensor)
