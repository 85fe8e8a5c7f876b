"""The served engine on a real llama.cpp server, against the local engine."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ban import assert_nothing_banned_is_left_uncounted

from llama_server import llama_server
from planish.find.slop import Slop
from planish.models.bundled import writing_prompts
from planish.models.endpoint import Endpoint
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.records.generation import Generation
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.served import ServedEngine

PROMPT = opening("Hello")


def ban_of(*phrases: str) -> Ban:
    return Ban(Slop([BanRule(text=phrase) for phrase in phrases]))


@pytest.fixture(scope="module")
def bundled() -> LanguageModel:
    return load_model("bundled")


@pytest.fixture(scope="module")
def llama(bundled: LanguageModel) -> Iterator[Endpoint]:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    with llama_server(bundled) as url:
        yield Endpoint(url)


OFTEN = ["was", "the", "her", "i", "you", ",", ".", "it was", "a little", "and", "“", "I'm", "The"]
STORIES = writing_prompts()[:6]


def test_a_real_server_shows_the_models_own_ids_and_probabilities(llama: Endpoint, bundled: LanguageModel) -> None:
    llama.check()
    ids = bundled.encode(STORIES[0])
    with torch.no_grad():
        logprobs = bundled.model(torch.tensor([ids])).logits[0, -1].float().log_softmax(-1)
    shown = llama.candidates(ids, any_id=0)
    assert set(logprobs.topk(20).indices.tolist()) <= shown.keys()
    assert all(abs(logprobs[token] - logprob) < 5e-3 for token, logprob in shown.items())


class Terse(Endpoint):
    """Is asked for candidates only where they are needed, as vLLM is."""

    def check(self) -> None:
        super().check()
        self.streamed = 1


@pytest.mark.parametrize("kind", [Endpoint, Terse])
@pytest.mark.parametrize("phrases", [(), ("was", "her", "the", ",")])
def test_greedy_texts_are_those_of_the_local_engine(
    phrases: tuple[str, ...], kind: type[Endpoint], llama: Endpoint, bundled: LanguageModel
) -> None:
    steers = [ban_of(*phrases)] if phrases else []
    sampling = Sampling(max_tokens=60, temperature=0, min_tokens=20)
    there = ServedEngine(kind(llama.url), bundled, steers, sampling).generate(STORIES)
    here = Engine(bundled, steers, sampling).generate(STORIES)
    assert [(text.token_ids, text.text, text.finish, text.events) for text in there] == [
        (text.token_ids, text.text, text.finish, text.events) for text in here
    ]
    assert bool(phrases) == any(text.events for text in there)


def test_a_penalty_is_the_same_on_a_real_server(llama: Endpoint, bundled: LanguageModel) -> None:
    sampling = Sampling(max_tokens=40, temperature=0, repetition_penalty=1.3)
    there = ServedEngine(llama, bundled, [], sampling).generate(STORIES)
    assert [text.token_ids for text in there] == [
        text.token_ids for text in Engine(bundled, [], sampling).generate(STORIES)
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(OFTEN), min_size=1, max_size=12, unique=True),
    st.sampled_from([Sampling(max_tokens=40), Sampling(max_tokens=40, top_p=0.8), Sampling(max_tokens=9, top_k=3)]),
    st.integers(0, 9),
)
def test_no_banned_phrase_is_left_uncounted_on_a_real_server(
    llama: Endpoint, bundled: LanguageModel, phrases: list[str], sampling: Sampling, seed: int
) -> None:
    for text in ServedEngine(llama, bundled, [ban_of(*phrases)], sampling).generate(STORIES[:3], seed=seed):
        assert text.status == "ok"
        assert len(text.token_ids) <= sampling.max_tokens
        assert bundled.decode(text.token_ids).startswith(text.text.removesuffix("\ufffd"))
        assert_nothing_banned_is_left_uncounted(text, phrases)


def test_a_seed_gives_the_same_texts_again_one_by_one(llama: Endpoint, bundled: LanguageModel) -> None:
    def texts(seed: int) -> list[Generation]:
        engine = ServedEngine(llama, bundled, [ban_of(*OFTEN[:5])], Sampling(max_tokens=50), concurrency=1)
        return engine.generate(STORIES[:3], samples=2, seed=seed)

    assert texts(1) == texts(1)
    assert {text.text for text in texts(1)}.isdisjoint(text.text for text in texts(2))


def test_characters_of_several_tokens_are_not_lost(tiny: LanguageModel) -> None:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    sampling = Sampling(max_tokens=60, temperature=0)
    # A token a byte, and most of what it writes at random is no character at all.
    with llama_server(tiny) as url:
        there = ServedEngine(Endpoint(url), tiny, [], sampling).generate([PROMPT, opening("Once")])
        wild = ServedEngine(Endpoint(url), tiny, [], Sampling(max_tokens=60)).generate([PROMPT], samples=6)
    assert [text.token_ids for text in there] == [
        text.token_ids for text in Engine(tiny, [], sampling).generate([PROMPT, opening("Once")])
    ]
    assert all(len(text.token_ids) == 60 or text.finish == "stop" for text in wild)
    assert any("\ufffd" in tiny.decode(text.token_ids) for text in wild)
