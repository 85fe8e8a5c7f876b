"""What the guest owes: it is asked in a process of its own, since it changes the process that it runs in."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.sandbox import guest

ASKED = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("guest", sys.argv[1])
guest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(guest)
out, begun, request = sys.stdout, [], sys.stdin.read()
reply = json.loads(guest.judge(request, begun.append))
out.write(json.dumps([reply, begun]))
"""
NONCE = "one time only"


def asked(source: str, *texts: str) -> tuple[list[list[Any]], list[int]]:
    """The answers to a request, and the places that were begun."""
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-I", "-c", ASKED, guest.__file__],
        input=json.dumps({"source": source, "texts": texts, "nonce": NONCE}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    reply, begun = json.loads(ended.stdout)
    assert reply["nonce"] == NONCE
    return reply["answers"], begun


def verdicts(source: str, *texts: str) -> list[str]:
    return [verdict for verdict, _, _ in asked(source, *texts)[0]]


def test_it_needs_nothing_but_the_standard_library() -> None:
    lines = Path(guest.__file__).read_text().splitlines()
    imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names


@settings(max_examples=10)
@given(st.lists(st.text(max_size=20), max_size=6))
def test_a_pure_verifier_is_answered_as_python_answers(texts: list[str]) -> None:
    expected = ["pass" if len(set(text)) % 2 else "fail" for text in texts]
    assert verdicts("def evaluate(response): return len(set(response)) % 2 == 1", *texts) == expected


def test_each_text_is_begun_twice_the_second_time_backwards() -> None:
    _, begun = asked("def evaluate(response): return True", "a", "b", "c")
    assert begun == [guest.LOADING, 0, 1, 2, 2, 1, 0]


@pytest.mark.parametrize(
    ("spelled", "verdict"), [("True", "pass"), ("true", "pass"), (" FALSE\\n", "fail"), ("false", "fail")]
)
def test_a_spelled_boolean_is_repaired_and_said_to_be(spelled: str, verdict: str) -> None:
    assert asked(f"def evaluate(response): return '{spelled}'", "x")[0] == [[verdict, "", True]]


@pytest.mark.parametrize("value", ["1", "0", "None", "[]", "'yes'", "1.0", "''", "type('B', (str,), {})('true')"])
def test_nothing_else_than_a_boolean_is_a_verdict(value: str) -> None:
    [(verdict, detail, repaired)] = asked(f"def evaluate(response): return {value}", "x")[0]
    assert (verdict, repaired) == ("error", False)
    assert "not with a bool" in detail


@pytest.mark.parametrize(
    "raised", ["ValueError('why')", "SystemExit('why')", "KeyboardInterrupt('why')", "BaseException('why')"]
)
def test_whatever_is_raised_is_an_error_with_its_type_and_message(raised: str) -> None:
    [(verdict, detail, _)] = asked(f"def evaluate(response): raise {raised}", "x")[0]
    assert verdict == "error"
    assert detail == raised.split("(")[0] + ": why"


def test_an_error_on_one_text_leaves_the_others_their_verdicts() -> None:
    source = "def evaluate(response): return 1 / len(response) < 1"
    assert verdicts(source, "ab", "", "a") == ["pass", "error", "fail"]


@pytest.mark.parametrize("source", ["def evaluate(", "raise SystemExit(0)", "x = 1", "evaluate = 3", "\0", "\ud800"])
def test_what_cannot_be_loaded_is_an_error_for_every_text(source: str) -> None:
    assert verdicts(source, "a", "b") == ["error", "error"]


def test_details_are_short_and_can_be_written_down() -> None:
    [(_, detail, _)] = asked(r"def evaluate(response): raise ValueError('\ud800' * 10_000)", "x")[0]
    assert detail.encode()
    assert len(detail) <= guest.DETAIL_CHARS


@pytest.mark.parametrize(
    "source",
    [
        "seen = []\ndef evaluate(response):\n    seen.append(response)\n    return len(seen) > 2",
        "import random\nrandom.seed(5)\ndef evaluate(response): return random.random() < .5",
        "import itertools\nturns = itertools.cycle([True, False])\ndef evaluate(response): return next(turns)",
        "last = ['a']\ndef evaluate(response):\n    last.append(response)\n    return last[-2] == response",
    ],
)
def test_a_verdict_that_depends_on_the_calls_before_it_is_nondeterministic(source: str) -> None:
    assert "nondeterministic" in verdicts(source, "a", "b", "c", "d")


def test_what_is_remembered_without_changing_a_verdict_is_no_fault() -> None:
    source = "seen = {}\ndef evaluate(response): return seen.setdefault(response, len(response) > 1)"
    assert verdicts(source, "a", "ab") == ["fail", "pass"]


def test_the_clock_stands_and_draws_are_the_same_every_time() -> None:
    source = """
import datetime, random, secrets, time, uuid
def evaluate(response):
    moments = {time.time(), time.time_ns() / 1e9, datetime.datetime.now(datetime.timezone.utc).timestamp(),
               time.mktime(time.strptime(time.strftime("%Y-%m-%d %H:%M:%S", time.localtime()), "%Y-%m-%d %H:%M:%S"))}
    assert len(moments) == 1, moments
    assert isinstance(datetime.datetime.now(), datetime.datetime) and datetime.date.today().year == 2024
    raise ValueError((random.random(), random.Random().random(), secrets.token_hex(), str(uuid.uuid4())))
"""
    first, second = asked(source, "x")[0], asked(source, "x")[0]
    assert first == second
    assert first[0][1].startswith("ValueError: (")


def test_helpers_imports_and_dataclasses_at_the_top_are_seen() -> None:
    source = """
from __future__ import annotations
import re
from dataclasses import dataclass
@dataclass
class Count:
    words: int
def count(text): return Count(len(re.findall("[a-z]+", text)))
def evaluate(response): return count(response) == Count(2)
"""
    assert verdicts(source, "a b", "a") == ["pass", "fail"]


def test_what_is_printed_is_swallowed() -> None:
    source = "import sys\ndef evaluate(response):\n    print('x' * 10**7)\n    sys.stderr.write('y')\n    return True"
    assert verdicts(source, "x") == ["pass"]


def test_no_texts_have_no_answers() -> None:
    assert asked("def evaluate(response): return True")[0] == []
