"""A claim of speed: the ratio of two ways to do one thing, measured in turn in one run."""

import json
import statistics
import time
from collections.abc import Callable

ROUNDS = 7


def measure(
    claim: str,
    slow: Callable[[], object],
    fast: Callable[[], object],
    target: float,
    clock: Callable[[], float] = time.perf_counter,
) -> bool:
    """Print how many times as fast `fast` is, as a JSON line; say whether the claim holds.

    What runs on one thread of the processor alone is better measured by `time.process_time`, in which other work on the
    machine does not count. The ratio is the median of the rounds, `low` and `high` the least and the largest of them:
    with seven rounds they enclose the true median in 98 % of cases.
    """
    slow(), fast()
    return report(claim, [_seconds(slow, clock) / _seconds(fast, clock) for _ in range(ROUNDS)], target)


def report(claim: str, ratios: list[float], target: float) -> bool:
    """Print a claim with the ratios that were measured for it; say whether it holds."""
    ratio = statistics.median(ratios)
    line = {"claim": claim, "ratio": ratio, "target": target, "low": min(ratios), "high": max(ratios)}
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in line.items()}
    print(json.dumps(rounded | {"holds": ratio >= target}), flush=True)
    return ratio >= target


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    work()
    return clock() - started
