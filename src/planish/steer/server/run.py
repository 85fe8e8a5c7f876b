"""The server as a process: it listens, and ends when it is told to."""

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from planish.errors import UsageError
from planish.steer.server.app import guarded_app
from planish.steer.server.guard import Door, Guard
from planish.steer.server.service import Service

# How often a server that is about to end looks whether it may.
LOOK_S = 0.05
# How long it then waits for clients that do not read.
LAST_WORDS_S = 5


def run_server(service: Service, door: Door, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Texts that are being written then are finished, for as long as the limits say.

    Args:
        service: what is served; it is closed at the end.
        door: for whom.
        listening: where, from `bound_socket`.
        ready: is called with the address once clients can come.
    """
    host = f"[{door.host}]" if ":" in door.host else door.host
    address = f"http://{host}:{listening.getsockname()[1]}/v1"
    Server(guarded_app(service, door), service, lambda: ready(address)).run(sockets=[listening])


class Server(uvicorn.Server):
    """Lets what is being written be finished, and takes nothing new meanwhile; told again, it ends at once."""

    def __init__(self, app: Guard, service: Service, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=LAST_WORDS_S)
        )
        self._guard = app
        self._ready = ready
        self._service = service
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop, since a signal may come at any place; and say when it is done."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come. Unlike uvicorn's own, this does not raise it again: to end so is no failure."""
        if self._loop is None or self._guard.is_closing:
            self.should_exit = True
        else:
            self._guard.is_closing = True
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        # Kept, since the loop itself does not keep its tasks.
        self._draining = asyncio.get_running_loop().create_task(self._finish())

    async def _finish(self) -> None:
        """End once nothing is left to write, or time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._service.limits.shutdown_s
        while self._service.worker.in_hand and loop.time() < end and not self.should_exit:
            await asyncio.sleep(LOOK_S)
        self._service.worker.close()
        self.should_exit = True


def bound_socket(host: str, port: int) -> socket.socket:
    """A place to listen at, where nobody is heard yet; port 0 is any that is free.

    Raises:
        UsageError: the address cannot be had.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        message = f"cannot listen on {host}, port {port}: {error.strerror}"
        raise UsageError(message, "give another --port or --host") from error
    return bound
