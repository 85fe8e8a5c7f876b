"""A fork server as the sandbox holds it."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from planish.sandbox.job import Limits
from planish.sandbox.linux.frame import ENDING, REQUEST, End, Ending, most_reply_bytes

# How long a server may be silent: it says every second that it still works.
SILENCE_S = 30.0
# Starts the server without planish's own __init__, which needs packages that are not on the path there.
LAUNCH = """
import sys, types
planish = types.ModuleType("planish")
planish.__path__ = [sys.argv[1]]
sys.modules["planish"] = planish
from planish.sandbox.linux.server import main
main(float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
"""
PLANISH = Path(__file__).parents[2]
# No site packages, no user's packages, nothing of the working folder, no .pyc files.
PYTHON_FLAGS = ("-s", "-S", "-P", "-B")
# Nothing of our own environment. The seed of hashes, the time zone and the encoding are the same everywhere.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "TZ": "UTC0", "LC_ALL": "C.UTF-8"}


class ServerLostError(Exception):
    """A server ended, fell silent, or said what none says."""


class ForkServer:
    """Starts a server, and asks it. Close it at the end."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, *PYTHON_FLAGS, "-c", LAUNCH, str(PLANISH), *map(str, limits)]
        with theirs:
            # In a session of its own: Ctrl+C is for us, and we end it.
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
            )

    def ask(self, request: bytes, texts: int) -> Ending:
        """How a child ended that was given this request.

        Raises:
            ServerLostError: there is no telling; a server that did this is of no more use.
        """
        most_bytes = most_reply_bytes(self._limits.output_bytes, texts)
        try:
            self._socket.settimeout(SILENCE_S)
            self._socket.sendall(REQUEST.pack(len(request), texts) + request)
            while True:
                end, place, length = ENDING.unpack(self._read(ENDING.size))
                if length > most_bytes:
                    raise ServerLostError(f"a reply of {length} bytes")
                ending = Ending(End(end), place, self._read(length))
                if ending.end is not End.working:
                    return ending
        except (OSError, ValueError) as error:
            raise ServerLostError(str(error)) from error

    def kill(self) -> None:
        """End it, with the child that it may have; whoever asks it at this moment learns that it is lost."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it when nobody asks it."""
        self.kill()
        self._socket.close()

    def _read(self, length: int) -> bytes:
        gathered = bytearray()
        until_s = time.monotonic() + SILENCE_S
        while len(gathered) < length:
            self._socket.settimeout(max(until_s - time.monotonic(), 0.001))
            piece = self._socket.recv(length - len(gathered))
            if not piece:
                raise ServerLostError("it ended")
            gathered += piece
        return bytes(gathered)
