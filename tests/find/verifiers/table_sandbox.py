"""A sandbox whose verifiers are functions of the tests: each source stands for one of them, and nothing is run."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from planish.find.verifiers.verifier import Status, Verifier
from planish.sandbox.job import Answer, Job, Verdict

Judge = Callable[[str], bool | Verdict]


class TableSandbox:
    name = "table"

    def __init__(self) -> None:
        self.judges: dict[str, Judge] = {}
        self.jobs: list[Job] = []

    def verifier(self, name: str, judge: Judge, instruction_id: str = "i", status: Status = "new") -> Verifier:
        """A verifier whose source calls a function of that name."""
        source = f"def evaluate(response):\n    return {name}(response)"
        self.judges[source] = judge
        return Verifier(instruction_id=instruction_id, source=source, status=status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def run(self, jobs: Sequence[Job]) -> list[list[Answer]]:
        self.jobs += jobs
        return [[_answer(self.judges[job.source](text)) for text in job.texts] for job in jobs]


def _answer(found: bool | Verdict) -> Answer:
    if isinstance(found, str):
        return Answer(found, "why" if found != "pass" else "")
    return Answer("pass" if found else "fail")
