"""What a model leaves out by chance is no drift; what its adapter leaves out stays as set."""

from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from transformers import LlamaConfig, OPTConfig, PreTrainedConfig

from planish.models.language_model import LanguageModel
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings, with_adapter
from planish.train.dropout import without_own_dropout
from planish.train.ftpo import train_ftpo
from planish.train.ftpo_settings import FtpoSettings
from tiny_models import SIZES, VOCABULARY, gpt2, random_model

_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)

IDS = torch.arange(3, 40)[None]


def llama() -> LlamaConfig:
    """In its attention alone, where it is a number and no module."""
    return LlamaConfig(**SIZES, attention_dropout=0.5)


def opt() -> OPTConfig:
    """In its layers, numbers and no modules; and whole layers are left out."""
    return OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        word_embed_proj_dim=32,
        init_std=0.4,
        dropout=0.5,
        attention_dropout=0.5,
        layerdrop=0.5,
    )


def said(network: Any, seed: int = 0) -> torch.Tensor:
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        logits: torch.Tensor = network(input_ids=IDS).logits
        return logits


@pytest.mark.parametrize("config", [llama(), opt(), gpt2()], ids=["llama", "opt", "gpt2"])
def test_a_model_says_in_training_what_it_says_otherwise(config: PreTrainedConfig) -> None:
    network: Any = random_model(config, "dropping").model
    plain = said(network.eval())
    assert not torch.equal(said(network.train()), plain), "nothing is left out"
    without_own_dropout(network)
    assert torch.equal(said(network.train()), plain)


def test_what_the_adapter_leaves_out_stays_as_set() -> None:
    adapted = with_adapter(random_model(llama(), "dropping"), AdapterSettings(rank=4, dropout=0.5))
    for name, weight in adapted.adapter.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(weight)
    without_own_dropout(adapted.adapter)
    network = adapted.adapter.train()
    assert not torch.equal(said(network, seed=0), said(network, seed=1))
    with network.disable_adapter():
        assert torch.equal(said(network, seed=0), said(network, seed=1))


def a_path() -> TokenPreferences:
    points = (
        Point(position=8, rejected=40, chosen=(100,), chosen_probs=(), rule="r"),
        Point(position=20, rejected=41, chosen=(101, 102), chosen_probs=(), rule="r"),
    )
    return TokenPreferences(generation_id="g", token_ids=tuple(range(3, 33)), prompt_length=1, points=points)


def first_loss(model: LanguageModel, tether: float) -> float:
    settings = FtpoSettings(
        epochs=1, tether=tether, tether_targets=tether, tether_each=tether, targets_slack=0, each_slack=0
    )
    return train_ftpo(model, [a_path()], settings).steps[0].loss


@pytest.mark.parametrize("config", [llama(), opt()], ids=["llama", "opt"])
def test_at_step_0_the_policy_is_the_reference(config: PreTrainedConfig) -> None:
    model = random_model(config, "dropping")
    assert first_loss(model, tether=1e3) == pytest.approx(first_loss(model, tether=0.0), abs=1e-3)


def test_the_model_itself_still_leaves_out_what_it_did() -> None:
    model = random_model(llama(), "dropping")
    before = said(model.model.train())
    model.model.eval()
    train_ftpo(model, [a_path()], FtpoSettings(epochs=1))
    assert torch.equal(said(model.model.train()), before)
