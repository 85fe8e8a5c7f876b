from collections.abc import Callable

import pytest
import torch

from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama, tiny_tokenizer


def untied() -> LanguageModel:
    model = tiny_llama()
    config = model.model.config
    config.tie_word_embeddings = False
    torch.manual_seed(0)
    return LanguageModel(type(model.model)(config), tiny_tokenizer(), name="untied")


@pytest.mark.parametrize("build", [tiny_llama, untied])
def test_tags_are_single_tokens_with_vectors_of_their_own(build: Callable[[], LanguageModel]) -> None:
    model = build()
    before = model.model.get_input_embeddings().weight.detach().clone()
    add_tags(model, ["<|good|>", "<|bad|>"])
    good, bad = model.tags["<|good|>"], model.tags["<|bad|>"]
    assert model.tokenizer("a<|good|>b", add_special_tokens=False)["input_ids"][1] == good
    assert model.decode([good, bad]) == ""
    for weight in (model.model.get_input_embeddings().weight, model.model.get_output_embeddings().weight):
        # Far apart from the first, as far as two tokens are: or they would stay the same in training.
        typical = (weight[10] - weight[11]).norm()
        assert (weight[good] - weight[bad]).norm() > 0.3 * typical
    after = model.model.get_input_embeddings().weight
    torch.testing.assert_close(after[: len(before)], before)


def test_more_tags_leave_the_first_ones_as_they_were() -> None:
    model = tiny_llama()
    add_tags(model, ["<|good|>"])
    first = dict(model.tags)
    vector = model.model.get_input_embeddings().weight[first["<|good|>"]].detach().clone()
    add_tags(model, ["<|bad|>"])
    assert model.tags == first | {"<|bad|>": model.tags["<|bad|>"]}
    assert len(set(model.tags.values())) == 2
    assert torch.equal(model.model.get_input_embeddings().weight[first["<|good|>"]], vector)


@torch.no_grad()
def test_tags_leave_the_other_logits_as_they_were(tiny: LanguageModel) -> None:
    model = tiny_llama()
    add_tags(model, ["<|good|>"])
    ids = torch.tensor([[5, 6, 7]])
    torch.testing.assert_close(model.model(ids).logits[..., : tiny.vocabulary], tiny.model(ids).logits)


def test_a_model_has_no_tags_of_another(tiny: LanguageModel) -> None:
    add_tags(tiny_llama(), ["<|good|>"])
    assert tiny.tags == tiny_llama().tags == {}


def test_a_head_with_room_to_spare_keeps_its_size() -> None:
    model = tiny_llama()
    model.model.resize_token_embeddings(320, mean_resizing=False)
    add_tags(model, ["<|good|>"])
    assert model.vocabulary == 320
    assert model.tags["<|good|>"] < 320
