"""What runs inside a sandbox: judges the texts of one job. Standard library only: planish is not there.

It keeps verdicts honest and the same everywhere. It keeps nobody out: that is the work of the sandbox around it.
"""

import builtins
import datetime
import io
import json
import os
import random
import sys
import time
import types
from collections.abc import Callable
from typing import Any

DETAIL_CHARS = 200
# 1 January 2024, noon, UTC: whatever a verifier asks the clock.
NOW_S = 1_704_110_400
BOOLEANS = {"true": True, "false": False}
LOADING = -1

# Bound here, so that a verifier which patches the modules changes no reply.
_dumps, _type = json.dumps, type

# A verdict, its detail, and whether it had to be repaired.
Finding = tuple[str, str, bool]


def judge(request: str, begin: Callable[[int], None]) -> str:
    """Judge the texts of a request with its verifier, each twice, the second time in the reverse order.

    Args:
        request: JSON with `source`, `texts` and `nonce`.
        begin: told the place of each text before it is judged, and `LOADING` before the verifier is loaded. Whoever
            counts the time starts to count again here.

    Returns:
        JSON with the same `nonce` and `answers`: for each text its verdict, a detail, and whether it was repaired.
    """
    given = json.loads(request)
    nonce, source, texts = given.pop("nonce"), given["source"], given["texts"]
    del request, given
    freeze()
    begin(LOADING)
    evaluate, trouble = _load(source)
    if trouble:
        return _dumps({"nonce": nonce, "answers": [("error", trouble, False)] * len(texts)})
    places = range(len(texts))
    first: dict[int, Finding] = {}
    second: dict[int, Finding] = {}
    for findings, order in ((first, places), (second, reversed(places))):
        for place in order:
            begin(place)
            findings[place] = _judge_one(evaluate, texts[place])
    return _dumps({"nonce": nonce, "answers": [_agreed(first[place], second[place]) for place in places]})


def freeze() -> None:
    """Stop the clock, seed what is random, and take standard input and output away. For the life of the process."""
    sys.stdout = sys.__stdout__ = sys.stderr = sys.__stderr__ = _Sink()  # type: ignore[misc,assignment]
    sys.stdin = sys.__stdin__ = io.StringIO()  # type: ignore[misc,assignment]
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, lambda: float(NOW_S))
        setattr(time, f"{name}_ns", lambda: NOW_S * 10**9)
    for name in ("gmtime", "localtime", "ctime"):
        setattr(time, name, _at_noon(getattr(time, name)))
    format_time, utc = time.strftime, time.gmtime
    time.strftime = lambda form, moment=None: format_time(form, moment or utc())
    time.sleep = lambda _: None
    datetime.datetime, datetime.date = _Moment, _Day  # type: ignore[misc]
    # Seeded once and not for each call, so that the two verdicts on a text may differ, and give a gambler away.
    random.seed(0)
    seed = random.seed
    random.seed = lambda a=None, version=2: seed(0 if a is None else a, version)
    random.Random = random.SystemRandom = _Draws  # type: ignore[misc,assignment]
    os.urandom = random.randbytes
    random._urandom = random.randbytes  # type: ignore[attr-defined]


def _load(source: str) -> tuple[Any, str]:
    """The verifier's `evaluate`, or what is wrong."""
    # A module of its own: helpers and imports at its top are seen, and dataclasses find it.
    module = types.ModuleType("verifier")
    module.__dict__["__builtins__"] = builtins
    sys.modules["verifier"] = module
    try:
        code = compile(source, "<verifier>", "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - it runs what models wrote; that is why it is in a sandbox
    except BaseException as error:  # a verifier may raise SystemExit and KeyboardInterrupt as well
        return None, _described(error)
    evaluate = module.__dict__.get("evaluate")
    return (evaluate, "") if callable(evaluate) else (None, "there is no function `evaluate`")


def _judge_one(evaluate: Any, text: str) -> Finding:
    try:
        found = evaluate(text)
        kind = _type(found)
        if kind is bool:
            return ("pass" if found else "fail", "", False)
        # Only the exact types: a subclass has methods of the verifier's own.
        spelled = BOOLEANS.get(found.strip().lower()) if kind is str else None
        if spelled is None:
            return ("error", _bounded(f"`evaluate` answered with {kind.__name__} and not with a bool"), False)
        return ("pass" if spelled else "fail", "", True)
    except BaseException as error:
        return ("error", _described(error), False)


def _agreed(first: Finding, second: Finding) -> Finding:
    if first[0] == second[0]:
        return first
    return ("nondeterministic", f"{first[0]} at first, then {second[0]}", first[2] or second[2])


def _described(error: BaseException) -> str:
    """The type and the message; a verifier's own exceptions may fail at that as well."""
    try:
        return _bounded(f"{_type(error).__name__}: {error}")
    except BaseException:
        return "an exception that cannot be shown"


def _bounded(text: str) -> str:
    return text[:DETAIL_CHARS].encode("utf-8", "replace").decode()


def _at_noon(convert: Callable[[float], Any]) -> Callable[..., Any]:
    return lambda seconds=None: convert(NOW_S if seconds is None else seconds)


class _Sink(io.TextIOBase):
    """Swallows what is printed and keeps none of it."""

    def write(self, text: str) -> int:
        return len(text)


class _Draws(random.Random):
    """Never seeded by the machine."""

    def __new__(cls, seed: Any = None) -> Any:
        return super().__new__(cls, 0 if seed is None else seed)  # type: ignore[call-arg]

    def seed(self, a: Any = None, version: int = 2) -> None:
        super().seed(0 if a is None else a, version)


class _Moment(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(NOW_S, tz or datetime.UTC).replace(tzinfo=tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now()

    @classmethod
    def today(cls) -> Any:
        return cls.now()


class _Day(datetime.date):
    @classmethod
    def today(cls) -> Any:
        return cls(2024, 1, 1)


_Moment.__name__ = _Moment.__qualname__ = "datetime"
_Day.__name__ = _Day.__qualname__ = "date"
