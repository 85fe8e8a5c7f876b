from collections.abc import Sequence
from copy import copy
from typing import Any

import pytest

from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.records.prompt import Message, Prompt
from planish.records.reply import Draw, Reply, Request
from planish.steer.engine import Engine
from planish.steer.local_chat import LocalChat
from planish.steer.sampling import Sampling


@pytest.fixture(scope="module")
def bundled() -> LanguageModel:
    return load_model("bundled")


def request(content: str, **settings: Any) -> Request:
    return Request(model="m", messages=(Message(role="user", content=content),), **{"max_tokens": 6} | settings)


def answers(model: LanguageModel, draws: Sequence[Draw]) -> dict[tuple[str, int], Reply]:
    found = list(LocalChat(model).replies(draws))
    assert sorted(reply.place for reply in found) == sorted(draw.place for draw in draws)
    return {reply.place: reply for reply in found}


def test_a_reply_is_what_the_engine_writes_for_the_conversation(bundled: LanguageModel) -> None:
    asked = request("Write a story about a fox.", samples=3, seed=4, temperature=0.8)
    engine = Engine(bundled, sampling=Sampling(max_tokens=6, temperature=0.8))
    prompt = Prompt(id=asked.key, token_ids=tuple(bundled.encode(Prompt(messages=asked.messages))))
    wanted = [text.text for text in engine.generate([prompt], samples=3, seed=4)]
    found = answers(bundled, list(asked.draws()))
    assert [found[draw.place].text for draw in asked.draws()] == wanted
    assert {reply.finish for reply in found.values()} == {"length"}


@pytest.mark.parametrize("name", ["bundled", "tiny"])
def test_a_reply_begins_with_its_prefix_and_goes_on_from_it(name: str) -> None:
    model = load_model(name)
    plain, begun = (request("Write.", prefix=prefix, temperature=0) for prefix in ("", "The fox was"))
    found = answers(model, [*plain.draws(), *begun.draws()])
    text = found[begun.key, 0].text
    assert text.startswith("The fox was")
    assert len(text) > len("The fox was")
    assert text.removeprefix("The fox was") != found[plain.key, 0].text


def test_a_draw_does_not_depend_on_what_else_is_asked(tiny: LanguageModel) -> None:
    one, other = request("a", samples=4), request("b", samples=2, max_tokens=9, stop=("x",))
    all_at_once = answers(tiny, [*one.draws(), *other.draws()])
    for draw in (*one.draws(), *other.draws()):
        assert answers(tiny, [draw])[draw.place] == all_at_once[draw.place]


def test_a_request_that_does_not_fit_fails_alone(tiny: LanguageModel) -> None:
    long, short = request("x" * 600), request("a")
    found = answers(tiny, [*long.draws(), *short.draws()])
    assert found[long.key, 0].status == "failed"
    assert "context of 512 tokens" in found[long.key, 0].error
    assert found[short.key, 0].status == "ok"


def test_requests_that_say_the_same_and_differ_elsewhere_are_all_answered(tiny: LanguageModel) -> None:
    twins = [request("a", template=template, temperature=0) for template in ("first", "second")]
    found = answers(tiny, [draw for twin in twins for draw in twin.draws()])
    assert found[twins[0].key, 0].text == found[twins[1].key, 0].text


def test_a_template_that_refuses_a_turn_fails_what_was_asked_so(bundled: LanguageModel) -> None:
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}<|story|>"
    bundled = LanguageModel(bundled.model, copy(bundled.tokenizer), bundled.name)
    bundled.tokenizer.chat_template = refusing
    refused = request("a").model_copy(update={"messages": (Message(role="system", content="b"),)})
    found = answers(bundled, [*refused.draws(), *request("a").draws()])
    assert found[refused.key, 0].status == "failed"
    assert "no system" in found[refused.key, 0].error
    assert found[request("a").key, 0].status == "ok"
