"""Runs verifiers behind Landlock, seccomp and resource limits, in children of fork servers."""

import json
import os
import secrets
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

from planish.errors import PlanishError
from planish.sandbox.guest import LOADING
from planish.sandbox.job import Answer, Job, Limits
from planish.sandbox.linux.fork_server import ForkServer, ServerLostError
from planish.sandbox.linux.frame import End, Ending
from planish.sandbox.linux.landlock import landlock_version
from planish.sandbox.linux.seccomp import MACHINES, has_filters, this_machine
from planish.sandbox.reply import printable, read_reply

MOST_SERVERS = 8
# A server may be lost by no fault of the job that it had; one that loses two is at fault.
TRIES = 2
# A new server may be lost before it is ready, where a machine is short of memory.
START_TRIES = 3
# How many texts of a job may stop it before those after them are given up.
MOST_STOPS = 3
PROBE = Job("def evaluate(response):\n    return True\n", ("",))


class Stop(NamedTuple):
    """Why a child gave no answers, and at the place of which text."""

    why: Answer
    place: int


class LinuxSandbox:
    """Judges texts in processes that can open no file, reach no network, start no process and signal none.

    It needs a Linux kernel with Landlock and seccomp, no privileges, and works in plain containers and as root. Time is
    counted as processor time; a call that only waits is ended after four times as long, and a second at least. From
    `with` to its end.
    """

    name = "linux"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: SimpleQueue[ForkServer] = SimpleQueue()
        self._servers: set[ForkServer] = set()
        self._changing = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def missing(cls) -> str:
        """What this machine lacks, or an empty string."""
        if sys.platform != "linux":
            return "Linux"
        if this_machine() is None:
            return f"a 64-bit {' or '.join(MACHINES)} processor"
        if not landlock_version():
            return "a kernel with Landlock (5.13 or later, not switched off)"
        return "" if has_filters() else "a kernel with seccomp filters"

    def __enter__(self) -> Self:
        """Start the servers.

        Raises:
            PlanishError: a server does not start, or cannot confine a process here.
        """
        # One more than there are cores: a server waits whenever the host speaks with it.
        many = min(len(os.sched_getaffinity(0)) + 1, MOST_SERVERS)
        self._threads = ThreadPoolExecutor(many, thread_name_prefix="planish-sandbox")
        try:
            for server in self._threads.map(lambda _: self._ready(), range(many)):
                self._idle.put(server)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the servers."""
        with self._changing:
            threads, self._threads = self._threads, None
            servers = list(self._servers)
        for server in servers:
            server.kill()
        if threads:
            threads.shutdown(cancel_futures=True)
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._idle = SimpleQueue()

    def run(self, jobs: Sequence[Job]) -> list[list[Answer]]:
        """An answer for each text of each job, in their order; a job that breaks loses its own answers only."""
        if self._threads is None:
            raise RuntimeError("a sandbox runs jobs inside of `with` only")
        return list(self._threads.map(self._judge, jobs))

    def _judge(self, job: Job) -> list[Answer]:
        """The answers for one job, asked again without the texts that stop the verifier."""
        answers: dict[int, Answer] = {}
        waiting = list(range(len(job.texts)))
        stops = 0
        while waiting:
            outcome = self._ask(job.source, [job.texts[place] for place in waiting])
            if not isinstance(outcome, Stop):
                answers.update(zip(waiting, outcome, strict=True))
                break
            stops += 1
            if outcome.place not in range(len(waiting)) or stops > MOST_STOPS:
                answers.update(dict.fromkeys(waiting, outcome.why))
                break
            answers[waiting.pop(outcome.place)] = outcome.why
            if stops == MOST_STOPS:
                # Those before it were judged at least once without a stop: they are worth one more try.
                waiting, given_up = waiting[: outcome.place], waiting[outcome.place :]
                not_judged = Answer(outcome.why.verdict, f"not judged: the verifier stopped at {stops} other texts")
                answers.update(dict.fromkeys(given_up, not_judged))
        return [answers[place] for place in range(len(job.texts))]

    def _ask(self, source: str, texts: list[str]) -> list[Answer] | Stop:
        nonce = secrets.token_hex(16)
        request = json.dumps({"nonce": nonce, "source": source, "texts": texts}).encode()
        for _ in range(TRIES):
            server = self._idle.get()
            try:
                return self._understood(server.ask(request, len(texts)), nonce, len(texts))
            except ServerLostError:
                server = self._replaced(server)
            finally:
                self._idle.put(server)
        return Stop(Answer("error", f"the process that ran it was lost {TRIES} times"), LOADING)

    def _understood(self, ending: Ending, nonce: str, texts: int) -> list[Answer] | Stop:
        match ending.end:
            case End.timed_out:
                return Stop(Answer("timeout", f"took more than {self._limits.call_s:g} s"), ending.place)
            case End.died:
                return Stop(Answer("error", printable(ending.written.decode("utf-8", "replace"))), ending.place)
            case End.talked_too_much:
                return Stop(Answer("error", f"wrote more than {self._limits.output_bytes} bytes"), ending.place)
        answers = read_reply(ending.written, nonce, texts)
        return Stop(Answer("error", "the reply is not one of this sandbox"), LOADING) if answers is None else answers

    def _started(self) -> ForkServer:
        with self._changing:
            if self._threads is None:
                raise PlanishError("the sandbox was closed while it ran jobs")
            server = ForkServer(self._limits)
            self._servers.add(server)
            return server

    def _replaced(self, lost: ForkServer) -> ForkServer:
        self._stop(lost)
        return self._ready()

    def _ready(self) -> ForkServer:
        """A new server that has shown that it works.

        Raises:
            PlanishError: none does.
        """
        for _ in range(START_TRIES):
            server = self._started()
            why = self._probe(server)
            if not why:
                return server
            self._stop(server)
        raise PlanishError(f"the Linux sandbox does not start here: {why}", "pip install 'planish[sandbox]'")

    def _probe(self, server: ForkServer) -> str:
        """What keeps a server from working, or an empty string."""
        request = json.dumps({"nonce": "", "source": PROBE.source, "texts": PROBE.texts}).encode()
        try:
            outcome = self._understood(server.ask(request, len(PROBE.texts)), "", len(PROBE.texts))
        except ServerLostError as error:
            return str(error)
        answer = outcome.why if isinstance(outcome, Stop) else outcome[0]
        return "" if answer == Answer("pass") else answer.detail

    def _stop(self, server: ForkServer) -> None:
        server.close()
        with self._changing:
            self._servers.discard(server)
