from itertools import combinations

import pytest
import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening, writing_prompt
from planish.train.adapter import copy_of
from planish.train.tagging import train_tagging

PROMPTS = [opening("So "), writing_prompt("Say something")]
TAG_OF = {"a": "<|a|>", "b": "<|b|>", "c": None}


def texts_of(model: LanguageModel) -> tuple[list[Generation], dict[str, str | None]]:
    """Texts of one letter over and over, each letter behind its own tag, or behind none."""
    texts, tags = [], {}
    for prompt in PROMPTS:
        for sample in range(12):
            letter = "abc"[sample % 3]
            ids = model.tokenizer(8 * letter)["input_ids"]
            text = Generation(
                id=f"{prompt.id}-{sample}",
                prompt_id=prompt.id,
                sample=sample,
                seed=0,
                text=8 * letter,
                prompt_token_ids=tuple(model.encode(prompt)),
                token_ids=tuple(ids),
                char_ends=(),
                finish="length",
            )
            texts.append(text)
            tags[text.id] = TAG_OF[letter]
    return texts, tags


def first_letter_log_probs(model: LanguageModel, prompt: Prompt, tag: str | None) -> Tensor:
    """How likely the text begins with a, b and c."""
    ids = model.encode(prompt.model_copy(update={"tag": tag}))
    letters = model.tokenizer("abc")["input_ids"]
    with torch.no_grad():
        logits: Tensor = model.model(input_ids=torch.tensor([ids])).logits
    return logits[0, -1].log_softmax(-1)[letters]


def test_each_tag_calls_for_what_it_was_trained_with(tiny: LanguageModel) -> None:
    texts, tags = texts_of(tiny)
    tuned = train_tagging(tiny, PROMPTS, texts, tags, epochs=24)
    assert set(tuned.tags) == {"<|a|>", "<|b|>"}
    for prompt in PROMPTS:
        called = [int(first_letter_log_probs(tuned, prompt, tag).argmax()) for tag in TAG_OF.values()]
        assert called == [0, 1, 2]


def test_plain_tokens_keep_their_ids_and_the_original_learns_nothing(tiny: LanguageModel) -> None:
    texts, tags = texts_of(tiny)
    before = {name: weight.clone() for name, weight in tiny.model.state_dict().items()}
    tuned = train_tagging(tiny, PROMPTS, texts, tags, epochs=1)
    assert tuned.tokenizer.get_vocab().items() >= tiny.tokenizer.get_vocab().items()
    assert all(tuned.encode(prompt) == tiny.encode(prompt) for prompt in PROMPTS)
    assert tiny.tags == {}
    assert len(tiny.tokenizer) == tiny.vocabulary == tuned.vocabulary - 2
    assert all(torch.equal(weight, before[name]) for name, weight in tiny.model.state_dict().items())


def distances(vectors: Tensor) -> list[float]:
    return [float((first - second).norm()) for first, second in combinations(vectors, 2)]


@pytest.mark.parametrize("calls", [[("<|a|>", "<|b|>", "<|c|>")], [("<|a|>",), ("<|b|>",), ("<|c|>",)]])
def test_tags_are_as_far_apart_as_any_two_tokens(calls: list[tuple[str, ...]], tiny: LanguageModel) -> None:
    model = copy_of(tiny)
    for names in calls:
        add_tags(model, names)
    vectors = model.model.get_input_embeddings().weight.detach()
    usual = distances(vectors[: tiny.vocabulary : 6])
    assert min(distances(vectors[list(model.tags.values())])) > sum(usual) / len(usual) / 2


def test_the_same_seed_trains_the_same_weights(tiny: LanguageModel) -> None:
    texts, tags = texts_of(tiny)
    first, again, other = (train_tagging(tiny, PROMPTS, texts, tags, epochs=1, seed=seed) for seed in (0, 0, 1))
    weights = [model.model.get_input_embeddings().weight for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
