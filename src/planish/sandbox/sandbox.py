"""Where model-written verifiers run."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from planish.sandbox.job import Answer, Job


class Sandbox(Protocol):
    """Judges texts with verifiers, and keeps host, files, network and the other verifiers out of their reach.

    From `with` to its end; not to be shared by threads.
    """

    name: str

    def __enter__(self) -> Self:
        """Start what runs the jobs."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        ...

    def run(self, jobs: Sequence[Job]) -> list[list[Answer]]:
        """An answer for each text of each job, in their order; a job that breaks loses its own answers only."""
        ...
