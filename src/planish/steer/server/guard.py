"""Who may come in."""

import hmac
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from planish.errors import UsageError
from planish.steer.server.refusal import Refusal

# Says nothing about anybody, and is asked by what knows no key.
OPEN_PATHS = ("/health",)


@dataclass(frozen=True)
class Door:
    """Where a server listens, and what opens it.

    Raises:
        UsageError: others than this machine can reach it, and there is no key.
    """

    host: str
    key: str | None = None

    def __post_init__(self) -> None:
        """Check that nobody comes in by accident."""
        if self.key is None and not self.is_loopback:
            raise UsageError(
                f"others can reach a server on {self.host}, so it needs a key",
                "put one into an environment variable and name it with --api-key-env",
            )

    def __repr__(self) -> str:
        """Without the key."""
        return f"Door({self.host!r})"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


class Guard:
    """Turns away who has no key; and on a loopback address, web pages: these reach it from any browser here.

    A page that has its own name point to 127.0.0.1 is known by the Host that its browser sends, one of another site by
    its Origin.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door
        self.is_closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        refusal = self._refusal(Headers(scope=scope), scope["path"]) if scope["type"] == "http" else None
        await (self.app if refusal is None else refusal.response())(scope, receive, send)

    def _refusal(self, headers: Headers, path: str) -> Refusal | None:
        if self.door.is_loopback:
            host = headers.get("host", "")
            if not is_loopback(_host_name(host)):
                return Refusal(HTTPStatus.FORBIDDEN, f"this server is not {host!r}", code="wrong_host")
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != host:
                return Refusal(
                    HTTPStatus.FORBIDDEN, "pages of other sites may not use this server", code="wrong_origin"
                )
        if self.door.key is not None and path not in OPEN_PATHS and not self._has_key(headers):
            return Refusal(
                HTTPStatus.UNAUTHORIZED,
                "no key, or a wrong one: send Authorization: Bearer KEY",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if self.is_closing:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is about to end", code="shutting_down")
        return None

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        wanted = (self.door.key or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), wanted)


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's, and reached from nowhere else."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _host_name(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
