"""What the official client gets."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import BadRequestError, NotFoundError
from serving import Served, error_in, serving

from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.records.prompt import Message, Prompt
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

HI: Any = [{"role": "user", "content": "Hi"}]
HELLO = Prompt(messages=(Message(role="user", content="Hi"),))


def generated(model: LanguageModel, prompt: Prompt, samples: int = 1, seed: int = 5, **sampling: Any) -> list[str]:
    """What the engine writes without a server."""
    return [text.text for text in Engine(model, sampling=Sampling(**sampling)).generate([prompt], samples, seed)]


def test_a_chat_is_what_the_engine_writes(served: Served, tiny: LanguageModel) -> None:
    answer = served.client.chat.completions.create(model="tiny", messages=HI, n=3, seed=5, max_completion_tokens=9)
    texts = [choice.message.content for choice in answer.choices]
    assert texts == generated(tiny, HELLO, 3, max_tokens=9)
    assert len(set(texts)) == 3
    assert {choice.message.role for choice in answer.choices} == {"assistant"}
    assert answer.usage is not None
    prompt = len(tiny.encode(HELLO))
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (prompt, prompt + answer.usage.completion_tokens)
    assert answer.usage.completion_tokens <= 27


def test_a_completion_is_what_the_engine_writes(served: Served, tiny: LanguageModel) -> None:
    answer = served.client.completions.create(model="tiny", prompt=["Once", "Then"], seed=5, max_tokens=9)
    texts = [generated(tiny, Prompt(text=text), max_tokens=9)[0] for text in ("Once", "Then")]
    assert [choice.text for choice in answer.choices] == texts
    assert [choice.index for choice in answer.choices] == [0, 1]


def test_sampling_settings_reach_the_engine(served: Served, tiny: LanguageModel) -> None:
    settings: dict[str, Any] = {"temperature": 0.6, "top_p": 0.8}
    own: dict[str, Any] = {"top_k": 9, "min_p": 0.02, "repetition_penalty": 1.3, "min_tokens": 5}
    plain = served.client.completions.create(model="tiny", prompt="Once", seed=5, max_tokens=30)
    answer = served.client.completions.create(
        model="tiny", prompt="Once", seed=5, max_tokens=30, **settings, extra_body=own
    )
    assert answer.choices[0].text == generated(tiny, Prompt(text="Once"), max_tokens=30, **settings, **own)[0]
    assert answer.choices[0].text != plain.choices[0].text


@pytest.mark.parametrize("off", [0, -1])
def test_every_token_may_be_drawn_where_top_k_is_off(served: Served, off: int) -> None:
    texts = {served.complete(seed=5, **extra).json()["choices"][0]["text"] for extra in ({}, {"top_k": off})}
    assert len(texts) == 1


def test_without_a_seed_texts_differ_and_one_prompt_twice_is_answered_twice(served: Served) -> None:
    first, second = (served.complete(max_tokens=20).json()["choices"][0]["text"] for _ in range(2))
    assert first != second
    twice = served.complete(prompt=["Once", "Once"], seed=5, max_tokens=20).json()["choices"]
    assert twice[0]["text"] != twice[1]["text"]


def test_token_ids_are_the_prompt_as_they_are(served: Served, tiny: LanguageModel) -> None:
    ids = [9, 2, 7, 1, 50]  # special tokens among them
    answer = served.client.completions.create(model="tiny", prompt=ids, temperature=0, max_tokens=1, logprobs=1)
    with torch.no_grad():
        likeliest = int(tiny.model(torch.tensor([ids])).logits[0, -1].argmax())
    logprobs = answer.choices[0].logprobs
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len(ids)
    assert logprobs is not None
    assert logprobs.token_logprobs is not None
    with torch.no_grad():
        wanted = float(tiny.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[likeliest])
    assert math.isclose(logprobs.token_logprobs[0], wanted, abs_tol=1e-3)


@pytest.mark.parametrize("ids", [[[]], [-1], [10**6], [[3], [10**6]]])
def test_ids_that_are_no_tokens_are_refused(served: Served, ids: object) -> None:
    assert error_in(served.complete(prompt=ids), 400)["param"] == "prompt"


def test_a_text_ends_before_a_stop_string(served: Served, tiny: LanguageModel) -> None:
    (whole,) = generated(tiny, Prompt(text="Once"), max_tokens=40)
    stop = whole[8:10]
    for fields in ({}, {"stream": True}):
        text, finish = read(served, prompt="Once", seed=5, max_tokens=40, stop=[stop, "never this"], **fields)
        assert (text, finish) == (whole[: whole.index(stop)], "stop")


def read(served: Served, **fields: Any) -> tuple[str, str | None]:
    """The text of a completion and how it ended, streamed or not."""
    answer = served.client.completions.create(model="tiny", **fields)
    if not fields.get("stream"):
        return answer.choices[0].text, answer.choices[0].finish_reason
    choices = [chunk.choices[0] for chunk in answer]
    assert [choice.finish_reason for choice in choices[:-1]] == [None] * (len(choices) - 1)
    return "".join(choice.text for choice in choices), choices[-1].finish_reason


@pytest.mark.parametrize("tokens", [1, 7, 40])
def test_a_stream_is_the_same_text_in_pieces(served: Served, tokens: int) -> None:
    fields: dict[str, Any] = {"prompt": "Once", "seed": 5, "max_tokens": tokens}
    assert read(served, **fields) == read(served, **fields, stream=True)


def test_a_streamed_chat_says_who_speaks_then_the_text_then_how_it_ended(served: Served) -> None:
    fields: dict[str, Any] = {"model": "tiny", "messages": HI, "n": 2, "seed": 5, "max_tokens": 12}
    whole = served.client.chat.completions.create(**fields)
    chunks = list(served.client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}))
    *told, last = chunks
    for index in range(2):
        deltas = [choice for chunk in told for choice in chunk.choices if choice.index == index]
        assert deltas[0].delta.role == "assistant"
        text = "".join(delta.delta.content or "" for delta in deltas)
        assert text == whole.choices[index].message.content
        assert deltas[-1].finish_reason == whole.choices[index].finish_reason
        assert not any(delta.finish_reason for delta in deltas[:-1])
    assert last.choices == []
    assert last.usage == whole.usage
    assert not any(chunk.usage for chunk in told)
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_without_usage_has_none_and_ends_as_clients_expect(served: Served) -> None:
    response = served.complete(stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert "usage" not in response.text


@pytest.mark.parametrize("is_streamed", [False, True])
def test_chat_log_probabilities_are_the_models_own_and_cover_the_text(served: Served, is_streamed: bool) -> None:
    fields: dict[str, Any] = {"logprobs": True, "top_logprobs": 3, "seed": 5, "max_tokens": 30, "temperature": 0}
    answer: Any = served.client.chat.completions.create(model="tiny", messages=HI, stream=is_streamed, **fields)
    choices = [chunk.choices[0] for chunk in answer] if is_streamed else answer.choices
    entries = [entry for choice in choices if choice.logprobs for entry in choice.logprobs.content or ()]
    text = "".join((choice.delta if is_streamed else choice.message).content or "" for choice in choices)
    assert "".join(entry.token for entry in entries) == text
    for entry in entries:
        assert len(entry.top_logprobs) == 3
        likelihoods = [top.logprob for top in entry.top_logprobs]
        assert likelihoods == sorted(likelihoods, reverse=True)
        # At temperature 0 the likeliest is what is written.
        assert math.isclose(entry.logprob, likelihoods[0], abs_tol=1e-5)


def test_completion_log_probabilities_stand_beside_their_places_in_the_text(served: Served) -> None:
    for is_streamed in (False, True):
        answer: Any = served.client.completions.create(
            model="tiny", prompt="Once", logprobs=2, seed=5, max_tokens=30, stream=is_streamed
        )
        choices = [chunk.choices[0] for chunk in answer] if is_streamed else answer.choices
        text = "".join(choice.text for choice in choices)
        tokens = [token for choice in choices for token in choice.logprobs.tokens]
        offsets = [offset for choice in choices for offset in choice.logprobs.text_offset]
        assert len(tokens) == len(offsets) > 10
        assert all(text[offset:].startswith(token) for token, offset in zip(tokens, offsets, strict=True))


def test_the_served_name_and_default_are_known_and_no_other(served: Served) -> None:
    assert [model.id for model in served.client.models.list()] == ["tiny"]
    for name in ("tiny", "default"):
        assert served.client.completions.create(model=name, prompt="Once", max_tokens=1).model == "tiny"
    with pytest.raises(NotFoundError, match="'tiny'"):
        served.client.completions.create(model="gpt-4o", prompt="Once")


def test_bans_of_a_request_hold_and_end_with_it(served: Served, tiny: LanguageModel) -> None:
    (plain,) = generated(tiny, Prompt(text="Once"), max_tokens=60)
    common = max((char for char in set(plain) if char.isascii() and char.isalnum()), key=plain.count)
    for banning in (
        {"planish": {"ban": [{"kind": "regex", "text": common}]}},
        {"planish": {"ban": [{"kind": "regex", "text": common}]}, "stream": True},
    ):
        text, _ = read(served, prompt="Once", seed=5, max_tokens=60, **_extra(banning))
        assert common.lower() not in text.lower()
    assert read(served, prompt="Once", seed=5, max_tokens=60)[0] == plain


def test_what_the_model_thinks_is_spared_where_asked(served: Served, tiny: LanguageModel) -> None:
    for prompt in ("<think>", tiny.encode(Prompt(text="<think>"))):
        for thinking in (True, False):
            steers = {"ban": [{"kind": "regex", "text": "[a-z]"}], "thinking": thinking}
            answer = served.complete(prompt=prompt, planish=steers, seed=5, max_tokens=60).json()
            has_letters = any(char.isascii() and char.isalpha() for char in answer["choices"][0]["text"])
            assert has_letters is not thinking


def _extra(fields: dict[str, Any]) -> dict[str, Any]:
    """What the official client does not know goes into the body."""
    own = {"extra_body": {key: value for key, value in fields.items() if key in ("planish", "banned_strings")}}
    return own | {key: value for key, value in fields.items() if key == "stream"}


def test_a_pattern_that_is_none_is_refused(served: Served) -> None:
    error = error_in(served.complete(planish={"ban": [{"kind": "regex", "text": "(?=x)"}]}), 400)
    assert "(?=x)" in error["message"]


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_bans_that_rewind_never_change_what_was_streamed(served: Served, seed: int) -> None:
    # Half of all letters, in pairs: texts go back again and again.
    rules = [{"kind": "regex", "text": "[a-m][a-z]"}, {"kind": "regex", "text": "[0-9] ?[^0-9]"}]
    fields: dict[str, Any] = {"seed": seed, "max_tokens": 40, "stream": True, "stream_options": {"include_usage": True}}
    stream = served.client.completions.create(
        model="tiny", prompt="Once", logprobs=0, **fields, extra_body={"planish": {"ban": rules}}
    )
    chunks = list(stream)
    told = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    tokens = [token for chunk in chunks for choice in chunk.choices for token in choice.logprobs.tokens]
    # Had anything been taken back, tokens and text would tell two stories, or the tokens be more than were kept.
    assert "".join(tokens) == told
    assert len(tokens) <= chunks[-1].usage.completion_tokens <= len(tokens) + 1


def test_a_tag_of_a_request_is_put_before_its_text() -> None:
    model = tiny_llama()
    add_tags(model, ["<|good|>"])
    with serving(Engine(model)) as served:
        answer = served.complete(seed=5, max_tokens=20, planish={"tag": "<|good|>"}).json()
        plain = served.complete(seed=5, max_tokens=20).json()
        assert answer["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"] + 1
        wanted = generated(model, Prompt(text="Once", tag="<|good|>"), max_tokens=20)
        assert answer["choices"][0]["text"] == wanted[0]
        assert "'<|bad|>'" in error_in(served.complete(planish={"tag": "<|bad|>"}), 400)["message"]
        ids = served.complete(
            prompt=model.encode(Prompt(text="Once")), seed=5, max_tokens=20, planish={"tag": "<|good|>"}
        )
        assert ids.json()["usage"] == answer["usage"]


def test_a_refusal_is_an_error_of_the_official_client(served: Served) -> None:
    with pytest.raises(BadRequestError, match="echo"):
        served.client.completions.create(model="tiny", prompt="Once", echo=True)
    with pytest.raises(BadRequestError, match="temperature"):
        served.client.completions.create(model="tiny", prompt="Once", temperature=-1)


def test_another_path_or_method_is_refused_in_the_same_shape(served: Served) -> None:
    error_in(served.post("embeddings", json={}), 404)
    error_in(served.post("models", json={}), 405)
    error_in(served.post("completions", content=b"{"), 415)
