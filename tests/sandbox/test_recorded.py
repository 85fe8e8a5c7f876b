"""Verifiers that a model wrote get the verdicts of plain Python in every sandbox."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from planish.sandbox.job import Job, Limits
from planish.sandbox.opening import KINDS, missing_of_kinds, open_sandbox

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "autoif_sample_data"
# A verifier loaded afresh for every text, as slowly and as plainly as can be.
PLAIN = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
def verdict(source, text):
    namespace = {"__name__": "verifier"}
    try:
        exec(source, namespace)
        found = namespace["evaluate"](text)
        found = {"true": True, "false": False}.get(found.lower(), found) if isinstance(found, str) else found
        return {True: "pass", False: "fail"}[found] if isinstance(found, bool) else "error"
    except Exception:
        return "error"
jobs = json.load(sys.stdin)
out = json.dumps([[verdict(source, text) for text in texts] for source, texts in jobs])
sys.__stdout__.write(out)
"""


def rows(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text().splitlines()]


def written_sources() -> Iterator[str]:
    """The functions of all rows, those in a model's own replies included."""
    for row in rows("eval_func_rft"):
        for reply in row["gpt-answer"]:  # type: ignore[attr-defined]
            fenced = re.search(r"```json\n(.*?)```", reply, re.DOTALL)
            try:
                yield json.loads(fenced[1] if fenced else reply)["func"]
            except ValueError:
                continue
    for name in ("back_trans", "query_rft", "dpo_query_w_funcs"):
        for row in rows(name):
            yield from (source for source, _ in row["eval_func"])  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    if not RECORDED.is_dir():
        pytest.skip("the recorded verifiers are not here")
    texts = ["", "yes", "A\n\nB", "ünï 🦊"]
    texts += [case[0] for row in rows("back_trans") for case in row["cases"]]  # type: ignore[attr-defined]
    texts += [reply for row in rows("query_rft") for reply in row["gpt-answer"]][:60]  # type: ignore[attr-defined]
    return [Job(source, tuple(map(str, texts))) for source in sorted(set(written_sources()))]


@pytest.fixture(scope="module")
def plain(jobs: list[Job]) -> list[list[str]]:
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-I", "-c", PLAIN], input=json.dumps(jobs), capture_output=True, text=True, check=True
    )
    found: list[list[str]] = json.loads(ended.stdout)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="plain Python needs limits there")
@pytest.mark.parametrize("kind", KINDS)
def test_every_recorded_verifier_judges_as_in_plain_python(kind: str, jobs: list[Job], plain: list[list[str]]) -> None:
    lacks = missing_of_kinds()[kind]
    if lacks:
        pytest.skip(f"this machine lacks {lacks}")
    assert len(jobs) >= 60
    assert {"pass", "fail", "error"} == {verdict for verdicts in plain for verdict in verdicts}
    with open_sandbox(kind, Limits()) as sandbox:
        found = sandbox.run(jobs)
    for job, answers, expected in zip(jobs, found, plain, strict=True):
        assert [answer.verdict for answer in answers] == expected, job.source
