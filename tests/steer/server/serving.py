"""A server on a loopback port, in this process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
from openai import OpenAI

from planish.steer.engine import Engine
from planish.steer.server.app import guarded_app
from planish.steer.server.guard import Door
from planish.steer.server.limits import Limits
from planish.steer.server.run import Server, bound_socket
from planish.steer.server.service import Service

# Long enough for the slowest machine; nothing waits so long unless it is broken.
PATIENCE_S = 60


class Served:
    """What a client knows, and what only a test may look at."""

    def __init__(self, service: Service, server: Server, port: int, key: str | None) -> None:
        self.service = service
        self.server = server
        self.root = f"http://127.0.0.1:{port}"
        self.client = OpenAI(base_url=f"{self.root}/v1", api_key=key or "none", max_retries=0, timeout=PATIENCE_S)

    def post(self, path: str, **how: Any) -> httpx.Response:
        """Whatever the official client would not send."""
        return httpx.post(f"{self.root}/v1/{path}", timeout=PATIENCE_S, **how)

    def complete(self, **fields: Any) -> httpx.Response:
        """A completion, by hand."""
        return self.post("completions", json={"prompt": "Once", "max_tokens": 4, **fields})

    def chat(self, **fields: Any) -> httpx.Response:
        """A conversation, by hand."""
        turns = [{"role": "user", "content": "Hi"}]
        return self.post("chat/completions", json={"messages": turns, "max_tokens": 4, **fields})


def error_in(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error in a refusal, in OpenAI's shape."""
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert "Traceback" not in error["message"]
    return error


@contextmanager
def serving(engine: Engine, rows: int = 8, limits: Limits | None = None, key: str | None = None) -> Iterator[Served]:
    """A running server."""
    service = Service(engine, "tiny", rows, limits)
    ready = threading.Event()
    listening = bound_socket("127.0.0.1", 0)
    server = Server(guarded_app(service, Door("127.0.0.1", key)), service, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield Served(service, server, listening.getsockname()[1], key)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def eventually(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.005)
