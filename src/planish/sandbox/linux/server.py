"""The fork server: a fresh Python that has loaded what verifiers import, and forks one child for each job.

It never looks into a job: the child does, once it is confined.
"""

import gc
import os
import resource
import select
import signal
import sys
import time
from importlib import import_module

from planish.sandbox import guest
from planish.sandbox.job import Limits
from planish.sandbox.linux.frame import ENDING, REQUEST, End, Ending, most_reply_bytes
from planish.sandbox.linux.kernel import die_with_parent, leave_no_dump, no_new_privileges
from planish.sandbox.linux.landlock import allow_nothing, ruleset_that_allows_nothing
from planish.sandbox.linux.progress import Progress
from planish.sandbox.linux.resources import address_space_bytes, limit_resources
from planish.sandbox.linux.seccomp import allow_only, filter_for, this_machine

# The standard library as verifiers use it, the same as in the WebAssembly image; nothing else can be imported there.
PRELOADED = (
    *("_strptime", "abc", "array", "ast", "base64", "binascii", "bisect", "builtins", "calendar", "cmath"),
    *("collections.abc", "colorsys", "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib"),
    *("encodings.ascii", "encodings.idna", "encodings.latin_1", "encodings.utf_8_sig", "encodings.utf_16", "enum"),
    *("errno", "fractions", "functools", "gc", "hashlib", "heapq", "html.parser", "inspect", "io", "itertools", "json"),
    *("keyword", "locale", "logging", "math", "numbers", "operator", "os", "pprint", "random", "re", "reprlib"),
    *("secrets", "shlex", "statistics", "string", "struct", "sys", "textwrap", "time", "tokenize", "traceback"),
    *("types", "typing", "unicodedata", "urllib.parse", "uuid", "warnings", "weakref", "xml.etree.ElementTree"),
)
HOST, DISCARD, REPLY = 0, 1, 3
# The server's own files are fewer; what a child closes is counted by this.
MOST_FILES = 32
# How often a call that takes long is looked at, in parts of what it may take, and how often the host is told of it.
LOOKS_PER_CALL = 8
BEAT_S = 1.0
# A call that waits uses no processor time, one on a busy machine gets it late, and a long request takes its time too.
WAIT_PER_CALL, LEAST_WAIT_S = 4, 1.0
PIECE_BYTES = 1 << 16


class Server:
    """Answers requests on one pipe, one child for each."""

    def __init__(self, limits: Limits) -> None:
        machine = this_machine()
        assert machine is not None, "the sandbox looked before it started this"
        self.limits = limits
        self._process = os.getpid()
        self._ruleset = ruleset_that_allows_nothing()
        self._filter = filter_for(machine)
        self._progress = Progress()
        self._before_bytes = address_space_bytes()

    def serve(self) -> None:
        """Answer until the host closes the pipe."""
        while header := _read(REQUEST.size):
            length, texts = REQUEST.unpack(header)
            ending = self._judge(_read(length), texts)
            _write(HOST, ENDING.pack(ending.end, ending.place, len(ending.written)) + ending.written)

    def _judge(self, request: bytes, texts: int) -> Ending:
        self._progress.reset(guest.LOADING)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self._child(request, texts, writer)
        os.close(writer)
        process = os.pidfd_open(child)
        try:
            end, written = self._watch(child, process, reader, texts)
        finally:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            os.close(process)
            os.close(reader)
        if end is End.replied and (status != 0 or not written):
            end, written = End.died, _cause(status) + written[:PIECE_BYTES]
        return Ending(end, self._progress.seen()[1], written)

    def _child(self, request: bytes, texts: int, writer: int) -> None:
        """Confine this process, then judge; never returns."""
        status, leave = 1, os._exit  # bound here: a verifier can change the module
        try:
            self._confine(len(request), texts, writer)
            _write(REPLY, guest.judge(request.decode(), self._progress.begin).encode())
            status = 0
        except OSError as error:
            _write(REPLY, str(error).encode())
        finally:
            leave(status)

    def _confine(self, request_bytes: int, texts: int, writer: int) -> None:
        die_with_parent(signal.SIGKILL)
        if os.getppid() != self._process:
            raise OSError("the server ended first")
        no_new_privileges()
        allow_nothing(self._ruleset)
        os.dup2(DISCARD, HOST)
        os.dup2(writer, REPLY)
        os.closerange(REPLY + 1, MOST_FILES)
        limit_resources(self.limits, self._before_bytes, request_bytes, texts)
        allow_only(self._filter)

    def _watch(self, child: int, process: int, reader: int, texts: int) -> tuple[End, bytes]:
        """Gather what the child writes until it ends, or a call takes too long, or it writes too much."""
        call_s, most_bytes = self.limits.call_s, most_reply_bytes(self.limits.output_bytes, texts)
        wait_s = max(WAIT_PER_CALL * call_s, LEAST_WAIT_S)
        look_s = min(call_s / LOOKS_PER_CALL, BEAT_S)
        events = select.poll()
        events.register(reader, select.POLLIN)
        events.register(process, select.POLLIN)
        written = bytearray()
        turn, before_used_s, before_s = -1, 0.0, 0.0
        beat_s = time.monotonic()
        while True:
            ready = {file for file, _ in events.poll(1000 * look_s)}
            if reader in ready:
                piece = os.read(reader, PIECE_BYTES)
                written += piece
                if not piece:
                    events.unregister(reader)
                if len(written) > most_bytes:
                    return End.talked_too_much, b""
            elif process in ready:
                return End.replied, bytes(written)
            used_s, now_s = time.clock_gettime(_processor_clock(child)), time.monotonic()
            now_turn, _ = self._progress.seen()
            if now_turn != turn:
                turn, before_used_s, before_s = now_turn, used_s, now_s
            elif now_s - before_s >= wait_s or (turn > 0 and used_s - before_used_s >= call_s):
                return End.timed_out, b""
            if now_s - beat_s >= BEAT_S:
                beat_s = now_s
                _write(HOST, ENDING.pack(End.working, 0, 0))


def prepare() -> None:
    """Load what verifiers import, and take away what they need not see."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
    leave_no_dump()
    time.tzset()
    os.environ.clear()
    for name in PRELOADED:
        import_module(name)
    sys.meta_path.clear()
    sys.path.clear()
    sys.argv, sys.orig_argv = [""], []
    gc.collect()
    gc.freeze()


def main(call_s: float, memory_mib: int, output_bytes: int) -> None:
    """Serve until the host closes the pipe."""
    prepare()
    Server(Limits(call_s, memory_mib, output_bytes)).serve()


def _processor_clock(process: int) -> int:
    """The clock of the processor time of another process (`clock_getcpuclockid` in C)."""
    return (~process << 3) | 2


def _cause(status: int) -> bytes:
    code = os.waitstatus_to_exitcode(status)
    return (f"ended with status {code}. " if code >= 0 else f"killed by signal {-code}. ").encode()


def _read(length: int) -> bytes:
    """So many bytes of the host, or none when it has closed the pipe."""
    gathered = bytearray()
    while len(gathered) < length:
        piece = os.read(HOST, min(length - len(gathered), 1 << 20))
        if not piece:
            return b""
        gathered += piece
    return bytes(gathered)


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
