from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2 as httpx
import pytest
from serving import Served, error_in, serving

from planish.models.language_model import LanguageModel
from planish.steer.engine import Engine
from planish.steer.server.limits import Limits

SMALL = Limits(body_bytes=3000, patterns=3, pattern_chars=8, stops=2, texts=4, tops=2, text_tokens=6)


@pytest.fixture(scope="module")
def small(tiny: LanguageModel) -> Iterator[Served]:
    with serving(Engine(tiny), limits=SMALL) as running:
        yield running


@pytest.mark.parametrize(
    ("allowed", "too_much", "param"),
    [
        ({"banned_strings": ["a"] * 3}, {"banned_strings": ["a"] * 4}, "planish.ban"),
        ({"planish": {"ban": ["a" * 8]}}, {"planish": {"ban": ["a" * 9]}}, "planish.ban"),
        ({"stop": ["a"] * 2}, {"stop": ["a"] * 3}, "stop"),
        ({"n": 4}, {"n": 5}, "n"),
        ({"prompt": ["a"] * 2, "n": 2}, {"prompt": ["a"] * 3, "n": 2}, "n"),
        ({"logprobs": 2}, {"logprobs": 3}, "logprobs"),
        ({"prompt": "a" * 500}, {"prompt": "a" * 600}, "prompt"),
        ({"prompt": [5] * 511}, {"prompt": [5] * 512}, "prompt"),
        ({"prompt": ["a"]}, {"prompt": []}, "prompt"),
    ],
)
def test_too_much_is_refused_and_the_limit_is_named(
    small: Served, allowed: dict[str, Any], too_much: dict[str, Any], param: str
) -> None:
    assert small.complete(**allowed).status_code == 200
    assert error_in(small.complete(**too_much), 400)["param"] == param


def test_a_prompt_that_fills_the_context_has_the_code_that_clients_look_for(small: Served) -> None:
    assert error_in(small.complete(prompt="a" * 600), 400)["code"] == "context_length_exceeded"
    assert error_in(small.complete(prompt=[5] * 600), 400)["code"] == "context_length_exceeded"


def test_a_large_body_is_refused(small: Served) -> None:
    response = small.post("completions", content=b" " * 4000, headers={"content-type": "application/json"})
    error_in(response, 413)


def test_a_body_without_end_is_not_read_for_ever(small: Served) -> None:
    def body() -> Iterator[bytes]:
        while True:
            yield b" " * 100_000

    # Whether a client that does not stop talking still hears the answer depends on when the connection is cut.
    with suppress(httpx.TransportError):
        error_in(small.post("completions", content=body(), headers={"content-type": "application/json"}), 413)
    assert small.complete().status_code == 200


def test_texts_are_no_longer_than_the_server_allows(small: Served) -> None:
    answer = small.complete(max_tokens=100, min_tokens=6, seed=5).json()
    assert answer["usage"]["completion_tokens"] == 6
    assert answer["choices"][0]["finish_reason"] == "length"


def test_a_text_ends_with_the_context_at_the_latest(served: Served, tiny: LanguageModel) -> None:
    prompt = [5] * (tiny.context - 4)
    answer = served.complete(prompt=prompt, max_tokens=10**9, planish={}).json()
    assert answer["usage"]["total_tokens"] <= tiny.context
    assert served.complete(prompt=prompt, max_tokens=None).status_code == 200
