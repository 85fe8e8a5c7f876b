from typing import Any

import pytest

from planish.records.prompt import Message
from planish.records.reply import Draw, Request

REQUEST = Request(model="a", messages=(Message(role="user", content="Say hello."),))
OTHERS: dict[str, Any] = {
    "model": "b",
    "template": "greet@1",
    "messages": (Message(role="system", content="Say hello."),),
    "prefix": "He",
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 7,
    "stop": ("\n",),
    "seed": 1,
}


def test_a_key_depends_on_all_of_a_request_but_how_often_it_is_asked() -> None:
    assert REQUEST.key  # a copy of what was looked at already has a key of its own too
    assert set(OTHERS) | {"samples"} == set(Request.model_fields)
    keys = {REQUEST.model_copy(update={name: value}).key for name, value in OTHERS.items()} | {REQUEST.key}
    assert len(keys) == len(OTHERS) + 1
    assert REQUEST.model_copy(update={"samples": 9}).key == REQUEST.key
    assert Request.model_validate_json(REQUEST.model_dump_json()).key == REQUEST.key


def test_draws_have_seeds_of_their_own_that_every_server_takes() -> None:
    draws = [*REQUEST.model_copy(update={"samples": 50}).draws(), *REQUEST.model_copy(update={"seed": 1}).draws()]
    assert len({draw.seed for draw in draws}) == len(draws)
    assert all(0 <= draw.seed < 2**31 for draw in draws)
    assert draws[3].seed == Draw(REQUEST, 3).seed


@pytest.mark.parametrize("off", [{"samples": 0}, {"messages": ()}, {"temperature": -1}, {"max_tokens": 0}])
def test_what_cannot_be_asked_is_no_request(off: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Request.model_validate(REQUEST.model_dump() | off)
