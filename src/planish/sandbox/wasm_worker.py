"""A process that judges jobs in copies of the image: a job a line comes in, its answers go out as a line.

A process of its own, because whatever breaks the engine breaks the process that it runs in.
"""

import json
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import NamedTuple

from wasmtime import Store, Trap, WasmtimeError
from wasmtime.component import Component, Linker

from planish.sandbox.guest import LOADING
from planish.sandbox.job import Answer, Job, Limits
from planish.sandbox.reply import read_reply
from planish.sandbox.wasm_image import wasm_engine

# About so many instructions are carried out in a second, whatever the machine: it makes time-outs the same everywhere.
FUEL_A_SECOND = 10**10
# How many texts of a job may stop it before those after them are given up.
MOST_STOPS = 3
# Details and all, however many bytes JSON makes of a character.
REPLY_BYTES_A_TEXT = 3_000


class Stop(NamedTuple):
    """Why a copy of the image gave no answers, and at the place of which text."""

    why: Answer
    place: int


class WasmWorker:
    """Judges jobs, each in a fresh copy of the image; one that stops at a text starts again without that text."""

    def __init__(self, image: str, limits: Limits) -> None:
        self._engine = wasm_engine()
        self._component = Component.deserialize_file(self._engine, image)
        self._limits = limits
        self._fuel = int(limits.call_s * FUEL_A_SECOND)

    def judge(self, job: Job) -> list[Answer]:
        """An answer for each text."""
        answers: dict[int, Answer] = {}
        waiting = list(range(len(job.texts)))
        stops = 0
        while waiting:
            found = self._attempt(Job(job.source, tuple(job.texts[place] for place in waiting)))
            if not isinstance(found, Stop):
                answers |= dict(zip(waiting, found, strict=True))
                break
            if found.place == LOADING:
                return [found.why] * len(job.texts)
            answers[waiting.pop(found.place)] = found.why
            stops += 1
            if stops == MOST_STOPS:
                given_up = found.why._replace(detail=f"given up: {stops} texts stopped the verifier")
                answers |= dict.fromkeys(waiting, given_up)
                break
        return [answers[place] for place in range(len(job.texts))]

    def _attempt(self, job: Job) -> list[Answer] | Stop:
        store = Store(self._engine)
        store.set_limits(memory_size=self._limits.memory_mib << 20)
        store.set_fuel(self._fuel)
        places = range(len(job.texts))
        # In the order in which the guest begins them.
        to_begin = chain([LOADING], places, reversed(places))
        begun = LOADING

        def begin(_: object) -> None:
            nonlocal begun
            following = next(to_begin, None)
            # It may be the verifier that asks, for more time.
            if following is None:
                raise WasmtimeError("it begins what it was not given")
            begun = following
            store.set_fuel(self._fuel)

        try:
            return self._asked(job, store, begin)
        except (WasmtimeError, Trap, ValueError) as error:
            if store.get_fuel() == 0:
                return Stop(Answer("timeout", f"more than {self._limits.call_s:g} s"), begun)
            return Stop(Answer("error", str(error).strip().splitlines()[-1].strip()), begun)
        finally:
            store.close()

    def _asked(self, job: Job, store: Store, begin: Callable[[object], None]) -> list[Answer]:
        """The answers of a fresh copy.

        Raises:
            WasmtimeError: it stopped.
            ValueError: what it replied is no reply to this job.
        """
        linker = Linker(self._engine)
        with linker.root() as root:
            root.add_func("begin", begin)
        judge = linker.instantiate(store, self._component).get_func(store, "judge")
        assert judge is not None
        nonce = secrets.token_hex(16)
        reply = judge(store, json.dumps({"source": job.source, "texts": job.texts, "nonce": nonce}))
        small = len(reply) <= self._limits.output_bytes + REPLY_BYTES_A_TEXT * len(job.texts)
        answers = read_reply(reply.encode(), nonce, len(job.texts)) if small else None
        if answers is None:
            raise ValueError("the sandbox's reply was tampered with")
        return answers


def main() -> None:
    """Judge until standard input ends."""
    # Ctrl+C is for planish, which lets a block of work end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = WasmWorker(sys.argv[1], Limits(*json.loads(sys.argv[2])))
    for line in sys.stdin:
        source, texts = json.loads(line)
        answers = worker.judge(Job(source, tuple(texts)))
        with suppress(BrokenPipeError):
            print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
