import pytest
import torch

from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.records.prompt import opening, writing_prompt
from planish.steer.contrast import contrasted
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.tag import Tag

PROMPTS = [opening("Hello"), opening("A rather long beginning"), writing_prompt("Go on.")]
TAGGED = [prompt.model_copy(update={"tag": "<|good|>"}) for prompt in PROMPTS]
SHORT = Sampling(max_tokens=15)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    model = tiny_llama()
    add_tags(model, ["<|good|>", "<|bad|>"])
    return model


def test_at_strength_1_there_is_no_companion() -> None:
    assert not Tag("<|good|>", "<|bad|>", strength=1.0).needs.companions
    assert not Tag("<|good|>").needs.companions
    assert Tag("<|good|>", "<|bad|>", strength=1.5).needs.companions


def test_at_strength_1_it_is_the_tag_in_the_prompt_and_nothing_else(model: LanguageModel) -> None:
    steered = Engine(model, [Tag("<|good|>", "<|bad|>", strength=1.0)], SHORT).generate(PROMPTS, samples=2)
    assert steered == Engine(model, sampling=SHORT).generate(TAGGED, samples=2)
    untagged = Engine(model, sampling=SHORT).generate(PROMPTS, samples=2)
    assert [text.prompt_id for text in steered] == [text.prompt_id for text in untagged]
    assert all(one.token_ids != other.token_ids for one, other in zip(steered, untagged, strict=True))


def test_a_strength_just_above_1_converges_to_the_tag_alone(model: LanguageModel) -> None:
    barely = Engine(model, [Tag("<|good|>", "<|bad|>", strength=1 + 1e-7)], SHORT).generate(PROMPTS, samples=2)
    alone = Engine(model, [Tag("<|good|>")], SHORT).generate(PROMPTS, samples=2)
    assert [text.token_ids for text in barely] == [text.token_ids for text in alone]


def test_above_1_it_pushes_away_from_the_opposite_tag(model: LanguageModel) -> None:
    # Greedy decoding step by step on two prompts is the slow reference.
    (text,) = Engine(
        model, [Tag("<|good|>", "<|bad|>", strength=1.8)], Sampling(max_tokens=12, temperature=0)
    ).generate([PROMPTS[0]])
    good, bad = (model.encode(PROMPTS[0].model_copy(update={"tag": tag})) for tag in ("<|good|>", "<|bad|>"))
    with torch.no_grad():
        for token in text.token_ids:
            own, other = (model.model(torch.tensor([[*ids]])).logits[:, -1] for ids in (good, bad))
            scores = contrasted(own, other, 0.8, 0.1)
            scores[:, list(model.tags.values())] = -torch.inf
            assert token == int(scores.argmax())
            good.append(token)
            bad.append(token)


@pytest.mark.parametrize("steer", [Tag("<|ugly|>"), Tag("<|good|>", "<|ugly|>", strength=2.0)], ids=["tag", "opposite"])
def test_an_unknown_tag_fails_with_its_name(model: LanguageModel, steer: Tag) -> None:
    for text in Engine(model, [steer], SHORT).generate(PROMPTS):
        assert (text.status, text.finish, text.token_ids) == ("failed", "failed", ())
        assert "<|ugly|>" in text.error
