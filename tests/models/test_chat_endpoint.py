import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Speaker, chat_server, replaying
from fake_server import HANG_S
from planish.errors import ModelError
from planish.models.chat_endpoint import ChatEndpoint
from planish.models.reply_store import ReplyStore
from planish.models.server_process import ServerProcess, free_port
from planish.records.prompt import Message
from planish.records.reply import Draw, Reply, Request

KEY = "sk-a-long-secret-key"
LLAMA = Path(__file__).parents[1] / "llama_server.py"


def request(content: str = "Say hello.", **settings: Any) -> Request:
    return Request(model="fake", messages=(Message(role="user", content=content),), **settings)


def parrot(body: Any) -> str:
    """Says the user's last words again."""
    return str([turn["content"] for turn in body["messages"] if turn["role"] == "user"][-1])


def endpoint(server: ChatServer, **settings: Any) -> ChatEndpoint:
    return ChatEndpoint(server.url, sleep=lambda _: None, **settings)


def asked(server: ChatServer, *requests: Request, **settings: Any) -> list[Reply]:
    draws = [draw for each in requests for draw in each.draws()]
    found = {reply.place: reply for reply in endpoint(server, **settings).replies(draws)}
    return [found[draw.place] for draw in draws]


@contextmanager
def served_by(owner: str, speaker: Speaker = parrot) -> Iterator[ChatServer]:
    with chat_server(speaker) as server:
        server.listing = {"data": [{"id": "fake", "owned_by": owner}]}
        yield server


# --- what comes back


def test_every_draw_gets_its_own_reply_however_many_are_asked_at_once() -> None:
    requests = [request(f"naïve 🦊 number {number}\n", samples=2) for number in range(20)]
    with chat_server(parrot) as server:
        replies = asked(server, *requests, concurrency=7)
    draws = [draw for each in requests for draw in each.draws()]
    assert replies == [draw.reply(draw.request.messages[0].content, "stop") for draw in draws]


def test_the_server_is_told_all_of_a_request() -> None:
    full = request(temperature=0.3, top_p=0.8, max_tokens=9, stop=("\n", "x"), samples=2)
    with chat_server(parrot) as server:
        asked(server, full, request())
    assert {body["seed"] for body in server.bodies} == {
        draw.seed for each in (full, request()) for draw in each.draws()
    }
    body = next(body for body in server.bodies if body["seed"] == Draw(full, 1).seed)
    wanted = {"model": "fake", "temperature": 0.3, "top_p": 0.8, "max_completion_tokens": 9, "stop": ["\n", "x"]}
    assert {name: body[name] for name in wanted} == wanted
    # Some servers refuse an empty list of stops.
    assert "stop" not in next(body for body in server.bodies if body["seed"] == Draw(request(), 0).seed)


def test_an_answer_that_ran_out_of_tokens_says_so() -> None:
    with chat_server(parrot, usual="length") as server:
        assert asked(server, request("cut"))[0].finish == "length"


def test_recorded_replies_come_back_as_they_were(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path / "replies.jsonl")
    requests = [request("a", samples=3), request("b", prefix="{")]
    store.add(draw.reply(f"{draw.request.prefix}{draw.seed}", "stop") for each in requests for draw in each.draws())
    with chat_server(replaying(store, requests)) as server:
        replies = asked(server, *requests)
    assert replies == [store.find(draw) for each in requests for draw in each.draws()]


# --- how a reply begins


@pytest.mark.parametrize("owner", ["vllm", "llamacpp"])
@pytest.mark.parametrize("says_prefix_back", [False, True])
def test_a_prefix_is_gone_on_from_where_the_server_can_do_that(owner: str, says_prefix_back: bool) -> None:
    with served_by(owner, lambda _: "lo!") as server:
        server.says_prefix_back = says_prefix_back
        assert asked(server, request(prefix="Hel"))[0].text == "Hello!"
    [body] = server.bodies
    assert body["messages"][-1] == {"role": "assistant", "content": "Hel"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_a_prefix_is_left_out_elsewhere() -> None:
    with served_by("openai", lambda _: "Hi there!") as server:
        assert asked(server, request(prefix="Hel"))[0].text == "Hi there!"
    [body] = server.bodies
    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert "continue_final_message" not in body


def test_a_real_llama_cpp_server_goes_on_from_a_prefix(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    port = free_port()
    command = [sys.executable, str(LLAMA), "bundled", str(port)]
    with ServerProcess(command, f"http://127.0.0.1:{port}", tmp_path / "llama.log") as server:
        chat = ChatEndpoint(server.url)
        [name] = chat.served()
        turns = (Message(role="user", content="Write a story."),)
        begun = Request(model=name, messages=turns, prefix="Once upon", max_tokens=5, temperature=0)
        plain = begun.model_copy(update={"prefix": ""})
        found = {reply.key: reply for reply in chat.replies([*begun.draws(), *plain.draws()])}
    assert found[begun.key].text.startswith("Once upon ")
    assert found[begun.key].text.count("Once upon") == 1
    assert found[plain.key].status == "ok"
    assert found[plain.key].finish == "length"


# --- what goes wrong


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (400, "400"),
        ("garbage", "no stream of a chat"),
        ("filtered", "ended by 'content_filter'"),
        ("endless", "has no end"),
    ],
)
def test_a_bad_answer_fails_its_own_draw_only(fault: int | str, why: str) -> None:
    with chat_server(parrot, faults=[None, fault]) as server:
        replies = asked(server, request("a"), request("b"), request("c"), concurrency=1)
    assert [reply.status for reply in replies] == ["ok", "failed", "ok"]
    assert (replies[1].finish, replies[1].text) == ("failed", "")
    assert why in replies[1].error


@pytest.mark.parametrize("fault", [429, 500, 503, "drop", "hang"])
def test_what_may_pass_is_asked_again(fault: int | str) -> None:
    with chat_server(parrot, faults=[fault, fault]) as server:
        assert [reply.text for reply in asked(server, request("a"), timeout_s=HANG_S / 2)] == ["a"]


def test_an_answer_of_nothing_but_thoughts_is_a_failure() -> None:
    with chat_server(lambda _: "", usual="length") as server:
        [reply] = asked(server, request())
    assert (reply.status, reply.error) == ("failed", "the answer has no text")


def test_halves_of_characters_reach_no_file() -> None:
    with chat_server(lambda _: "a\ud83db") as server:
        assert asked(server, request())[0].text == "a\ufffdb"


def test_a_server_that_answers_nothing_is_at_fault_and_one_that_answered_once_is_not() -> None:
    draws = [*request(samples=40).draws()]
    with chat_server(parrot, usual=404) as server, pytest.raises(ModelError, match="answers none of the first") as told:
        list(endpoint(server).replies(draws))
    assert "404" in told.value.message
    assert "/v1/chat/completions" in told.value.hint
    with chat_server(parrot, faults=[None], usual=404) as server:
        replies = list(endpoint(server, concurrency=1).replies(draws))
    assert [reply.status for reply in replies] == ["ok", *["failed"] * 39]


def test_a_server_that_dies_is_no_failure_of_what_it_was_asked() -> None:
    with chat_server(parrot, faults=[None, "die"]) as server:
        answers = endpoint(server, concurrency=1).replies([*request("a", samples=3).draws()])
        assert next(answers).text == "a"
        with pytest.raises(ModelError, match="no answer from"):
            list(answers)


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    absent = ChatEndpoint(f"http://127.0.0.1:{free_port()}", attempts=2, sleep=lambda _: None)
    with pytest.raises(ModelError, match="no answer from"):
        list(absent.replies([*request().draws()]))


def test_a_model_that_is_not_served_is_refused_with_those_that_are() -> None:
    with chat_server(parrot) as server, pytest.raises(ModelError, match="serves no model 'gpt'") as refused:
        asked(server, request().model_copy(update={"model": "gpt"}))
    assert "fake" in refused.value.hint
    assert server.bodies == []


def test_the_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANISH_API_KEY", KEY)
    with chat_server(parrot, usual="echo") as server:
        [reply] = asked(server, request())
    # The server was told the key, and said it back.
    assert re.search(r"no such key: Bearer \[redacted\]", reply.error)
    assert KEY not in reply.model_dump_json()
