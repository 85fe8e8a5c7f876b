from collections.abc import Iterator

import httpx2 as httpx
import pytest
from openai import AuthenticationError
from serving import Served, error_in, serving

from planish.errors import UsageError
from planish.models.language_model import LanguageModel
from planish.steer.engine import Engine
from planish.steer.server.guard import Door, is_loopback

KEY = "a key of many letters"


@pytest.fixture(scope="module")
def locked(tiny: LanguageModel) -> Iterator[Served]:
    with serving(Engine(tiny), key=KEY) as running:
        yield running


def test_with_the_key_everything_is_open(locked: Served) -> None:
    assert locked.client.completions.create(model="tiny", prompt="Once", max_tokens=2).choices


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer ä"]
)
@pytest.mark.parametrize("path", ["v1/models", "v1/completions", "v1/chat/completions", "nothing"])
def test_without_it_only_health_is(locked: Served, header: str | None, path: str) -> None:
    headers = {} if header is None else {b"Authorization": header.encode()}
    response = httpx.get(f"{locked.root}/{path}", headers=headers)
    error = error_in(response, 401)
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
    assert KEY not in response.text
    assert httpx.get(f"{locked.root}/health").json()["status"] == "ok"


def test_the_official_client_understands(locked: Served) -> None:
    with pytest.raises(AuthenticationError):
        locked.client.with_options(api_key="wrong").models.list()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[", "10.0.0.1"])
def test_a_page_whose_name_points_here_is_turned_away(served: Served, host: str) -> None:
    assert error_in(httpx.get(f"{served.root}/v1/models", headers={"Host": host}), 403)["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1:80", "[::1]:8000", "LOCALHOST"])
def test_this_machine_goes_by_several_names(served: Served, host: str) -> None:
    assert httpx.get(f"{served.root}/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_site_is_turned_away(served: Served, origin: str) -> None:
    response = httpx.post(f"{served.root}/v1/completions", json={"prompt": "Once"}, headers={"Origin": origin})
    assert error_in(response, 403)["code"] == "wrong_origin"
    asked = httpx.options(f"{served.root}/v1/completions", headers={"Origin": origin})
    assert not any(name.startswith("access-control") for name in asked.headers)


def test_what_a_page_may_send_without_asking_is_not_read(served: Served) -> None:
    response = served.post("completions", content=b'{"prompt": "Once"}', headers={"Content-Type": "text/plain"})
    error_in(response, 415)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_others_need_a_key(host: str) -> None:
    with pytest.raises(UsageError, match="key"):
        Door(host)
    assert KEY not in repr(Door(host, KEY))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_needs_none(host: str) -> None:
    assert is_loopback(host)
    assert Door(host).key is None
