"""What a sandbox is given, and what it says of it."""

from typing import Literal, NamedTuple

# A verifier that raised, or answered with no boolean, says nothing about the text: an error is never a fail.
Verdict = Literal["pass", "fail", "error", "timeout", "nondeterministic"]


class Job(NamedTuple):
    """A verifier with all texts that it is to judge: Python that defines `evaluate(response: str) -> bool`."""

    source: str
    texts: tuple[str, ...]


class Answer(NamedTuple):
    """What came of one text. `repaired` says that "true" or "false" as a text was taken for a boolean."""

    verdict: Verdict
    detail: str = ""
    repaired: bool = False


class Limits(NamedTuple):
    """What a job may use. Time is counted in instructions where the backend can, so that it is the same everywhere."""

    call_s: float = 1.0
    memory_mib: int = 256
    output_bytes: int = 1 << 20
