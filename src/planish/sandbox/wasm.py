"""Runs verifiers in WebAssembly: the same verdicts on every machine, time-outs included."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from planish.sandbox.job import Answer, Job, Limits
from planish.sandbox.wasm_image import compiled_image, lacking_package

MOST_WORKERS = 8
# A worker may be lost by no fault of the job that it had; one that loses two is at fault.
TRIES = 2
LOST = Answer("error", "the sandbox's process was lost")


class WasmSandbox:
    """Judges texts in fresh copies of a WebAssembly image of CPython, from which nothing outside can be reached.

    Time is counted in instructions. From `with` to its end.
    """

    name = "wasm"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._open = ExitStack()

    @classmethod
    def missing(cls) -> str:
        """What this machine lacks, or an empty string."""
        package = lacking_package()
        return f"the package {package}" if package else ""

    def __enter__(self) -> Self:
        """Start the workers, the first time ever after the image is built.

        Raises:
            PlanishError: a package is missing, or the image cannot be built.
        """
        image = compiled_image(lambda line: print(line, file=sys.stderr, flush=True))
        many = min(os.cpu_count() or 1, MOST_WORKERS)
        self._idle = SimpleQueue()
        for _ in range(many):
            worker = _Worker(image, self._limits)
            self._open.callback(worker.stop)
            self._idle.put(worker)
        self._threads = self._open.enter_context(ThreadPoolExecutor(many, thread_name_prefix="planish-sandbox"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the workers."""
        self._open.close()

    def run(self, jobs: Sequence[Job]) -> list[list[Answer]]:
        """An answer for each text of each job, in their order; a job that breaks loses its own answers only."""
        return list(self._threads.map(self._judge, jobs))

    def _judge(self, job: Job) -> list[Answer]:
        worker = self._idle.get()
        try:
            for _ in range(TRIES):
                answers = worker.judge(job)
                if answers is not None:
                    return answers
            return [LOST] * len(job.texts)
        finally:
            self._idle.put(worker)


class _Worker:
    """The process, which is started anew when it is lost."""

    def __init__(self, image: Path, limits: Limits) -> None:
        self._command = [sys.executable, "-m", "planish.sandbox.wasm_worker", str(image), json.dumps(limits)]
        self._process = self._started()

    def judge(self, job: Job) -> list[Answer] | None:
        """Its answers, or None where the process was lost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([job.source, job.texts]).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = b""
        if line:
            return [Answer(*answer) for answer in json.loads(line)]
        self.stop()
        self._process = self._started()
        return None

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _started(self) -> subprocess.Popen[bytes]:
        # Importable from wherever this process imports, whatever its working directory.
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        return subprocess.Popen(  # noqa: S603 - our own command
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
        )
