"""How many verifiers, and how many texts, each sandbox that this machine has judges in a second."""

import sys
import time

from claim import ROUNDS, report

from planish.sandbox.job import Job
from planish.sandbox.opening import missing_of_kinds, open_sandbox
from planish.sandbox.sandbox import Sandbox

# As models write them; with a number of its own, no two are the same.
SOURCE = """
import re

def evaluate(response):
    words = re.findall(r"[a-z]+", response.lower())
    return len(words) > 20 and all(len(word) < {longest} for word in words)
"""
TEXT = "The quick brown fox jumps over the lazy dog, and the dog does not mind. " * 4
MANY_JOBS, MANY_TEXTS, FEW_JOBS = 300, 500, 20


def rates(sandbox: Sandbox, jobs: int, texts: int) -> list[float]:
    """Texts judged in a second, for each round."""
    work = [Job(SOURCE.format(longest=10 + job), (TEXT,) * texts) for job in range(jobs)]
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answers = sandbox.run(work)
        found.append(jobs * texts / (time.perf_counter() - started))
        assert all(answer.verdict == "pass" for judged in answers for answer in judged)
    return found


def main() -> int:
    """Measure new verifiers with a text each, and verifiers with many texts."""
    holds = True
    for kind in [kind for kind, missing in missing_of_kinds().items() if not missing]:
        with open_sandbox(kind) as sandbox:
            rates(sandbox, 4, 1)
            holds &= report(f"{kind}, new verifiers a second", rates(sandbox, MANY_JOBS, 1), 300)
            holds &= report(f"{kind}, texts a second", rates(sandbox, FEW_JOBS, MANY_TEXTS), 15_000)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
