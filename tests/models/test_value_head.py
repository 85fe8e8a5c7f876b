from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from planish.errors import DataError
from planish.models.value_head import ValueHead


def some_head(scale: float = 1.7, shift: float = -0.4) -> ValueHead:
    head = ValueHead(8, 20)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter, std=2.0)
    head.scale, head.shift = torch.tensor(scale), torch.tensor(shift)
    return head


def some_states(rows: int) -> Tensor:
    return torch.randn(rows, 8, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_value_is_minus_a_probability_whatever_the_state() -> None:
    head, states = some_head(), some_states(50) * 100
    assert head(states).shape == (50, 20)
    assert ((head(states) <= 0) & (head(states) >= -1)).all()
    assert torch.equal(head(states), -head.risk(states))


@torch.no_grad()
def test_the_risk_of_each_token_is_its_calibrated_log_odds() -> None:
    head, states = some_head(), some_states(20)
    tokens = torch.arange(20)
    wanted = torch.sigmoid(1.7 * head.logit(states, tokens) - 0.4)
    torch.testing.assert_close(head.risk(states)[tokens, tokens], wanted)


@torch.no_grad()
@pytest.mark.parametrize("distinct", [3, 20])
def test_asked_for_some_tokens_it_answers_for_those_as_for_all(distinct: int) -> None:
    head, states = some_head(), some_states(5)
    tokens = torch.randint(distinct, (5, 7), generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(head(states, tokens), head(states).gather(1, tokens))
    torch.testing.assert_close(head.risk(states, tokens), -head(states, tokens))


@torch.no_grad()
def test_half_precision_states_are_read_in_full() -> None:
    head, states = some_head(), some_states(5).to(torch.bfloat16)
    torch.testing.assert_close(head(states), head(states.float()))


def test_calibration_is_saved_with_the_weights() -> None:
    copy = ValueHead(8, 20)
    copy.load_state_dict(some_head().state_dict())
    with torch.no_grad():
        torch.testing.assert_close(copy(some_states(4)), some_head()(some_states(4)))


def test_a_head_is_read_as_it_was_saved(tmp_path: Path) -> None:
    head = some_head()
    head.save(tmp_path / "head.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(ValueHead.load(tmp_path / "head.safetensors")(some_states(4)), head(some_states(4)))


@pytest.mark.parametrize("content", [None, b"", b"not tensors", "other tensors"])
def test_what_is_no_head_is_named(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "head.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        save_file({"weight": torch.ones(3)}, path)
    with pytest.raises(DataError, match=r"head\.safetensors"):
        ValueHead.load(path)
