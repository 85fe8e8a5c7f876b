"""The same promises on a real vLLM server that serves the bundled model; PLANISH_VLLM_URL says where."""

import os

import pytest
import torch
from test_ban import assert_nothing_banned_is_left_uncounted

from planish.find.slop import Slop
from planish.models.bundled import writing_prompts
from planish.models.endpoint import Endpoint
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.served import ServedEngine

URL = os.environ.get("PLANISH_VLLM_URL", "")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not URL, reason="PLANISH_VLLM_URL names no server of the bundled model"),
]
OFTEN = ["was", "the", "her", "i", "you", ",", ".", "and", "“"]
STORIES = writing_prompts()[:6]


@pytest.fixture(scope="module")
def bundled() -> LanguageModel:
    return load_model("bundled")


def ban_of(*phrases: str) -> Ban:
    return Ban(Slop([BanRule(text=phrase) for phrase in phrases]))


def test_vllm_shows_the_models_own_ids_and_probabilities(bundled: LanguageModel) -> None:
    endpoint = Endpoint(URL)
    endpoint.check()
    assert endpoint.context is not None
    ids = bundled.encode(STORIES[0])
    with torch.no_grad():
        logprobs = bundled.model(torch.tensor([ids])).logits[0, -1].float().log_softmax(-1)
    shown = endpoint.candidates(ids, any_id=0)
    assert set(logprobs.topk(20).indices.tolist()) <= shown.keys()
    assert all(abs(logprobs[token] - logprob) < 5e-3 for token, logprob in shown.items())


@pytest.mark.parametrize("phrases", [(), ("was", "her", "the", ",")])
def test_greedy_texts_on_vllm_are_those_of_the_local_engine(phrases: tuple[str, ...], bundled: LanguageModel) -> None:
    steers = [ban_of(*phrases)] if phrases else []
    sampling = Sampling(max_tokens=60, temperature=0, min_tokens=20)
    there = ServedEngine(Endpoint(URL), bundled, steers, sampling).generate(STORIES)
    here = Engine(bundled, steers, sampling).generate(STORIES)
    assert [(text.token_ids, text.text, text.finish, text.events) for text in there] == [
        (text.token_ids, text.text, text.finish, text.events) for text in here
    ]


def test_a_penalty_is_the_same_on_vllm(bundled: LanguageModel) -> None:
    sampling = Sampling(max_tokens=40, temperature=0, repetition_penalty=1.3)
    there = ServedEngine(Endpoint(URL), bundled, [], sampling).generate(STORIES)
    here = Engine(bundled, [], sampling).generate(STORIES)
    assert [text.token_ids for text in there] == [text.token_ids for text in here]


@pytest.mark.parametrize("sampling", [Sampling(max_tokens=60), Sampling(max_tokens=60, top_p=0.8, min_tokens=30)])
def test_no_banned_phrase_is_left_uncounted_on_vllm(sampling: Sampling, bundled: LanguageModel) -> None:
    texts = ServedEngine(Endpoint(URL), bundled, [ban_of(*OFTEN)], sampling).generate(STORIES, samples=2)
    assert any(text.events for text in texts)
    for text in texts:
        assert text.status == "ok"
        assert_nothing_banned_is_left_uncounted(text, OFTEN)


def test_a_seed_gives_the_same_texts_again_on_vllm(bundled: LanguageModel) -> None:
    engine = ServedEngine(Endpoint(URL), bundled, [ban_of(*OFTEN)], Sampling(max_tokens=50), concurrency=1)
    once, again, otherwise = (engine.generate(STORIES[:3], seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert [text.text for text in once] != [text.text for text in otherwise]
