"""Talking to a server by HTTP: the key, what is tried again, and when to stop trying."""

import os
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2 as httpx

from planish.errors import ModelError, UsageError
from planish.models.token_stream import error_text
from planish.runs.secret import REDACTED

Part = TypeVar("Part")

KEY_VARIABLES = ("PLANISH_API_KEY", "OPENAI_API_KEY")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
CONNECT_TIMEOUT_S = 10.0
# The first time again at once: the server may have closed a connection that was kept. Then so long, doubled each time.
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 8.0
# What a server, or a proxy before it, may answer otherwise later; the last three say that the server itself is gone.
PASSING = {408, 425, 429, 500, 502, 503, 504}
GONE = {502, 503, 504}
LONGEST_REASON = 300


class _NoAnswer(Exception):  # noqa: N818 - not yet an error: it is tried again
    """No answer, or one that may pass; `is_gone` where nobody seems to be there."""

    def __init__(self, reason: str, is_gone: bool) -> None:
        super().__init__(reason)
        self.is_gone = is_gone


class Connection:
    """A server's address, and how to get answers from there.

    The key is what the environment holds in PLANISH_API_KEY, or else in OPENAI_API_KEY; it is shown nowhere. What may
    pass (no connection, no answer in time, 429, 5xx) is tried `attempts` times. Once the server is known to be gone,
    everything fails at once. May be used by many threads at the same time.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float = 120.0,
        attempts: int = 5,
        is_alive: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = base_of(url)
        self._attempts = attempts
        self._is_alive = is_alive
        self._sleep = sleep
        self._answers = 0
        self._gone = ""
        self._key = key_from_environment()
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S), pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            # A proxy that the environment names would look for loopback on its own machine.
            trust_env=urlsplit(self.url).hostname not in LOOPBACK,
        )

    def get(self, path: str) -> Any:
        """The JSON at a path.

        Raises:
            ModelError: the server refuses, does not answer, or that is no JSON.
        """

        def once(response: httpx.Response) -> Iterator[Any]:
            response.read()
            try:
                yield response.json()
            except ValueError as error:
                raise self._error("its answer is no JSON") from error

        with closing(self._persist(lambda: self._client.stream("GET", path), once)) as parts:
            return next(parts)

    def post(
        self, path: str, body: Mapping[str, Any], read: Callable[[Iterator[str]], Iterator[Part]]
    ) -> Generator[Part]:
        """What `read` makes of the lines that the server answers, as they come. Closing it hangs up.

        An answer that breaks off after its first part just ends.

        Raises:
            ModelError: the server refuses, does not answer, or `read` cannot understand it.
        """

        def once(response: httpx.Response) -> Iterator[Part]:
            yield from read(response.iter_lines())

        return self._persist(lambda: self._client.stream("POST", path, json=body), once)

    def is_ready(self) -> bool:
        """Whether an OpenAI-compatible server answers now; asked once."""
        try:
            health = self._client.get("/health")  # not every server has this one
            return health.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and self._client.get("/v1/models").is_success
        except httpx.TransportError:
            return False

    def forget_failure(self) -> None:
        """Try again, even if the server was gone."""
        self._gone = ""

    def _persist(
        self,
        call: Callable[[], AbstractContextManager[httpx.Response]],
        once: Callable[[httpx.Response], Iterator[Part]],
    ) -> Generator[Part]:
        answers_before: int | None = None
        for attempt in range(1, self._attempts + 1):
            self._refuse_if_gone()
            has_begun = False
            failure = _NoAnswer("its answer ended before it began", is_gone=False)
            try:
                with call() as response:
                    self._refuse(response)
                    for part in once(response):
                        self._answers += 1
                        has_begun = True
                        yield part
            except httpx.TransportError as error:
                failure = _NoAnswer(_reason(error), is_gone=True)
            except _NoAnswer as error:
                failure = error
            except ModelError as error:
                raise ModelError(self._clean(error.message), error.hint) from None
            if has_begun:
                return
            if not self._is_alive():
                self._gone = "its process has ended"
            elif attempt < self._attempts:
                answers_before = self._answers if answers_before is None else answers_before
                self._sleep(0 if attempt == 1 and failure.is_gone else _wait_s(attempt))
            elif failure.is_gone and self._answers == answers_before:
                self._gone = f"{failure} ({attempt} attempts)"
        self._refuse_if_gone()
        raise self._error(f"{failure} ({self._attempts} attempts)")

    def _refuse_if_gone(self) -> None:
        if self._gone:
            raise ModelError(
                f"no answer from {self.url}: {self._gone}", "see whether the server runs there, and what its log says"
            )

    def _refuse(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        response.read()
        try:
            said = error_text(response.json())
        except ValueError:
            said = response.text
        reason = f"{response.status_code} {response.reason_phrase}: {self._clean(said)}"
        if response.status_code in PASSING:
            raise _NoAnswer(reason, is_gone=response.status_code in GONE)
        hint = f"set one of {' and '.join(KEY_VARIABLES)}" if response.status_code in (401, 403) else ""
        raise self._error(reason, hint)

    def _error(self, reason: str, hint: str = "") -> ModelError:
        return ModelError(f"{self.url}: {self._clean(reason)}", hint or "its log may say more")

    def _clean(self, text: str) -> str:
        """In one line, and without the key, which some servers say back."""
        line = " ".join(text.split())
        line = line.replace(self._key, REDACTED) if self._key else line
        return line[:LONGEST_REASON]


def key_from_environment() -> str:
    """The key for servers, or nothing."""
    return next(filter(None, map(os.environ.get, KEY_VARIABLES)), "").strip()


def base_of(url: str) -> str:
    """The address of a server, without /v1.

    Raises:
        UsageError: it is none, or there is a password in it.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.username or parts.password:
        raise UsageError("the address of a server holds a password", f"set {KEY_VARIABLES[0]} instead")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no address of a server", "write it like http://localhost:8000/v1")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "nothing came in time"
    return str(error) or type(error).__name__


def _wait_s(attempt: int) -> float:
    """Longer each time, and not for all at the same moment."""
    longest: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1))
    return longest * random.uniform(0.5, 1)
