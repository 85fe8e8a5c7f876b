import json
from collections.abc import Callable, Sequence

import pytest

from fake_server import HANG_S, FakeServer, fake_server
from planish.errors import ModelError, PlanishError, UsageError
from planish.models.connection import base_of
from planish.models.endpoint import Endpoint
from planish.models.server_process import free_port
from planish.models.token_stream import Ended, Served, Written, read_events

KEY = "sk-a-long-secret-key"


def counting(before: Sequence[int]) -> dict[int, float]:
    """Ids go up by one; the one after the next could have stood there too."""
    return {before[-1] + 1: 0.7, before[-1] + 2: 0.3}


@pytest.fixture
def waits() -> list[float]:
    return []


def endpoint(server: FakeServer, waits: list[float], **settings: float) -> Endpoint:
    found = Endpoint(server.url, sleep=waits.append, **settings)  # type: ignore[arg-type]
    server.faults, faults = [], server.faults
    usual, server.usual = server.usual, None
    found.check()
    server.faults, server.usual = faults, usual
    server.bodies.clear()
    return found


def ids(answers: Sequence[Served]) -> list[int]:
    return [answer.id for answer in answers if isinstance(answer, Written)]


# --- what comes back


def test_tokens_come_by_id_with_what_else_could_have_stood_there(waits: list[float]) -> None:
    with fake_server(counting) as server:
        answers = list(endpoint(server, waits).stream([5, 6], {"max_tokens": 3}))
    assert ids(answers) == [7, 8, 9]
    assert answers[-1] == Ended("length")
    first = answers[0]
    assert isinstance(first, Written)
    assert first.candidates == pytest.approx({7: -0.3567, 8: -1.204}, abs=1e-3)
    assert server.bodies[0]["prompt"] == [5, 6]


def test_ids_in_the_way_of_vllm_are_read_too() -> None:
    logprobs = {
        "tokens": ["token_id:4", "token_id:9"],
        "token_logprobs": [-0.5, -3],
        "top_logprobs": [{"token_id:4": -0.5, "token_id:7": -1}, {"token_id:7": -1}],
    }
    event = {"choices": [{"text": "ab", "finish_reason": "stop", "logprobs": logprobs}]}
    assert list(read_events([f"data: {json.dumps(event)}", "", "data: [DONE]"])) == [
        Written(4, {4: -0.5, 7: -1.0}),
        Written(9, {7: -1.0, 9: -3.0}),
        Ended("stop"),
    ]


def test_candidates_do_not_depend_on_the_token_that_is_written_for_them(waits: list[float]) -> None:
    with fake_server(counting) as server:
        known = endpoint(server, waits).candidates([5], any_id=900)
    assert {6, 7} <= known.keys()
    assert known[6] > known[7]


def test_the_context_and_the_name_are_the_servers(waits: list[float]) -> None:
    with fake_server(counting) as server:
        server.listing = {"data": [{"id": "one", "max_model_len": 77}, {"id": "two", "meta": {"n_ctx": 99}}]}
        first, second = Endpoint(server.url), Endpoint(server.url, model="two")
        for each in (first, second):
            each.check()
    assert (first.model, first.context, second.model, second.context) == ("one", 77, "two", 99)
    assert first.model_hash != second.model_hash


# --- what is refused


@pytest.mark.parametrize("fault", ["plain", "pieces", "garbage", "echo", 400, 404, 422])
def test_a_server_that_cannot_be_used_is_refused_in_one_line_at_once(fault: int | str, waits: list[float]) -> None:
    with fake_server(counting, usual=fault) as server, pytest.raises(ModelError) as caught:
        Endpoint(server.url, sleep=waits.append).check()
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert len(server.bodies) == 1
    assert waits == []


def test_a_server_without_log_probabilities_is_told_so(waits: list[float]) -> None:
    with fake_server(counting, usual="plain") as server, pytest.raises(ModelError, match="log-probabilities"):
        Endpoint(server.url, sleep=waits.append).check()


def test_a_model_that_is_not_served_is_refused_with_those_that_are() -> None:
    with fake_server(counting) as server, pytest.raises(ModelError, match="'other'") as caught:
        Endpoint(server.url, model="other").check()
    assert "fake" in caught.value.hint


def test_a_web_server_of_another_kind_is_refused() -> None:
    with fake_server(counting) as server:
        server.listing = {"hello": "world"}
        with pytest.raises(ModelError, match="models"):
            Endpoint(server.url).check()


@pytest.mark.parametrize("url", ["ftp://host/v1", "http://", "http://me:hunter22@host/v1"])
def test_what_is_no_address_is_refused_and_no_password_is_said(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(url)
    assert "hunter22" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("url", ["http://host:1/v1", "http://host:1/v1/", "http://host:1", "host:1"])
def test_an_address_may_be_written_with_and_without_v1(url: str) -> None:
    assert base_of(url) == "http://host:1"


# --- the key


@pytest.mark.parametrize("variable", ["PLANISH_API_KEY", "OPENAI_API_KEY"])
def test_the_key_goes_to_the_server_and_is_said_nowhere(
    variable: str, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.delenv("PLANISH_API_KEY", raising=False)
    monkeypatch.setenv(variable, KEY)
    with fake_server(counting, usual="echo") as server:
        found = Endpoint(server.url, sleep=waits.append)
        with pytest.raises(PlanishError) as caught:
            found.check()
    assert KEY not in repr(found)
    assert "no such key: Bearer [redacted]" in caught.value.message
    assert KEY not in caught.value.message + caught.value.hint


# --- what passes


@pytest.mark.parametrize("fault", [429, 500, 502, 503, "hang"])
def test_what_passes_is_tried_again(fault: int | str, waits: list[float]) -> None:
    with fake_server(counting, faults=[fault, fault]) as server:
        answers = list(endpoint(server, waits, timeout_s=HANG_S / 2).stream([11], {"max_tokens": 2}))
    assert ids(answers) == [12, 13]
    assert len(server.bodies) == 3
    assert len(waits) == 2


def test_waits_grow_and_end(waits: list[float]) -> None:
    with fake_server(counting, usual=500) as server:
        found = endpoint(server, waits, attempts=8)
        with pytest.raises(ModelError, match=r"500 .*not now.*8 attempts"):
            next(found.stream([11], {"max_tokens": 2}))
    assert len(server.bodies) == 8
    assert all(0.25 * 2**number <= wait <= 0.5 * 2**number for number, wait in enumerate(waits[:5]))
    assert max(waits) <= 8


def test_an_error_of_one_request_is_no_reason_to_give_the_server_up(waits: list[float]) -> None:
    with fake_server(counting, faults=[500] * 5) as server:
        found = endpoint(server, waits)
        with pytest.raises(ModelError):
            next(found.stream([11], {"max_tokens": 2}))
        assert ids(list(found.stream([11], {"max_tokens": 2}))) == [12, 13]


def test_a_stream_that_breaks_off_just_ends_so_that_the_rest_can_be_asked_for(waits: list[float]) -> None:
    with fake_server(counting, faults=["drop"]) as server:
        answers = list(endpoint(server, waits).stream([11], {"max_tokens": 4}))
    assert ids(answers) == [12]
    assert Ended("length") not in answers


def test_nobody_there_is_one_line_and_later_calls_do_not_wait(waits: list[float]) -> None:
    found = Endpoint(f"http://127.0.0.1:{free_port()}", sleep=waits.append, attempts=4)
    with pytest.raises(ModelError, match="no answer from http://127"):
        found.check()
    assert len(waits) == 3
    with pytest.raises(ModelError, match="no answer from http://127"):
        next(found.stream([1], {"max_tokens": 1}))
    assert len(waits) == 3


@pytest.mark.parametrize("alive", [True, False])
def test_a_server_that_died_is_not_waited_for_where_that_is_known(alive: bool, waits: list[float]) -> None:
    is_alive: Callable[[], bool] = lambda: alive  # noqa: E731 - it is a setting of the test
    found = Endpoint(f"http://127.0.0.1:{free_port()}", sleep=waits.append, is_alive=is_alive)
    with pytest.raises(ModelError, match="no answer"):
        found.check()
    assert bool(waits) == alive


def test_a_check_is_made_once_and_again_after_a_failure(waits: list[float]) -> None:
    with fake_server(counting, faults=[400]) as server:
        found = Endpoint(server.url, sleep=waits.append)
        with pytest.raises(ModelError):
            found.check()
        for _ in range(3):
            found.check()
    assert len(server.bodies) == 2
