import json
from typing import Any

import pytest

from planish.records.prompt import Prompt
from planish.records.rule import BanRule
from planish.steer.server.refusal import Refusal
from planish.steer.server.wire import HARMLESS, NEUTRAL, ChatRequest, CompletionRequest, read_request

HI = [{"role": "user", "content": "Hi"}]


def chat(**fields: Any) -> ChatRequest:
    return read_request(ChatRequest, json.dumps({"messages": HI, **fields}).encode())


def completion(**fields: Any) -> CompletionRequest:
    return read_request(CompletionRequest, json.dumps({"prompt": "Hi", **fields}).encode())


def refused(**fields: Any) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        chat(**fields)
    assert refusal.value.status == 400
    return refusal.value


@pytest.mark.parametrize(
    ("prompt", "inputs"),
    [
        ("one", [Prompt(text="one")]),
        (["one", "two"], [Prompt(text="one"), Prompt(text="two")]),
        (["1", "2"], [Prompt(text="1"), Prompt(text="2")]),
        ([5, 6], [[5, 6]]),
        ([[5, 6], [7]], [[5, 6], [7]]),
        ([], []),
    ],
)
def test_a_prompt_comes_in_four_shapes(prompt: object, inputs: list[object]) -> None:
    assert completion(prompt=prompt).inputs() == inputs


def test_turns_may_come_in_parts_and_the_developer_is_the_system() -> None:
    parts = [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]
    messages = [{"role": "developer", "content": parts, "name": "ann"}, *HI]
    (prompt,) = chat(messages=messages).inputs()
    assert isinstance(prompt, Prompt)
    assert [(turn.role, turn.content) for turn in prompt.messages or ()] == [("system", "Be brief."), ("user", "Hi")]


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
        {"role": "assistant", "content": None},
        {"role": "user"},
    ],
)
def test_a_turn_that_is_more_than_text_is_refused(turn: object) -> None:
    assert "messages.0" in str(refused(messages=[turn]).param)


@pytest.mark.parametrize("field", sorted(HARMLESS))
def test_what_changes_nothing_is_ignored(field: str) -> None:
    assert chat(**{field: "anything"}) == chat()


@pytest.mark.parametrize("field", sorted(NEUTRAL))
def test_what_would_change_the_text_is_refused_unless_it_asks_for_nothing(field: str) -> None:
    assert chat(**{field: NEUTRAL[field][0]}) == chat(**{field: None}) == chat()
    assert refused(**{field: {"something": "else"}}).param == field


def test_an_unknown_field_is_refused_with_the_nearest_known_one() -> None:
    refusal = refused(temprature=0.3)
    assert refusal.param == "temprature"
    assert "'temperature'" in refusal.message


def test_null_is_the_same_as_nothing() -> None:
    assert chat(**dict.fromkeys((*ChatRequest.model_fields, "who knows"), None) | {"messages": HI}) == chat()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"hi"', b"\xff", b'{"temperature": NaN}', b"[" * 9999, rb'{"prompt": "\ud800"}']
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        read_request(ChatRequest, body)
    assert refusal.value.status == 400


@pytest.mark.parametrize(("field", "value"), [("n", 0), ("temperature", "hot"), ("messages", []), ("stop", 5)])
def test_a_wrong_value_is_named(field: str, value: object) -> None:
    assert field in str(refused(**{field: value}).param)


def test_the_newer_name_of_the_length_counts() -> None:
    assert chat(max_tokens=5).asked_tokens == 5
    assert chat(max_tokens=5, max_completion_tokens=7).asked_tokens == 7
    assert chat().asked_tokens is None
    assert completion().asked_tokens == 16


def test_log_probabilities_are_asked_for_in_two_ways() -> None:
    assert [chat().tops, chat(logprobs=True).tops, chat(logprobs=True, top_logprobs=3).tops] == [None, 0, 3]
    assert [completion().tops, completion(logprobs=0).tops, completion(logprobs=3).tops] == [None, 0, 3]


def test_bans_come_as_texts_as_rules_and_under_the_name_that_other_servers_use() -> None:
    request = chat(planish={"ban": ["a b", {"kind": "regex", "text": "c+"}]}, banned_strings="d")
    assert request.rules() == [BanRule(text="a b"), BanRule(kind="regex", text="c+"), BanRule(text="d")]


def test_an_unknown_steer_is_refused() -> None:
    assert "planish" in str(refused(planish={"bann": ["x"]}).param)
