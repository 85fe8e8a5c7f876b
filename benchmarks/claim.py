"""A claim of speed: the ratio of two ways to do one thing, measured in turn in one run."""

import json
import math
import statistics
import time
from collections.abc import Callable

ROUNDS = 7


def measure(claim: str, slow: Callable[[], object], fast: Callable[[], object], target: float) -> bool:
    """Print how many times as fast `fast` is, as a JSON line, with the 95 % interval over rounds; say if it holds."""
    ratios = []
    for _ in range(ROUNDS):
        ratios.append(math.log(_seconds(slow) / _seconds(fast)))
    middle = statistics.fmean(ratios)
    # 2.45 is Student's t for seven rounds.
    half = 2.45 * statistics.stdev(ratios) / math.sqrt(ROUNDS)
    ratio, low, high = (round(math.exp(value), 3) for value in (middle, middle - half, middle + half))
    print(
        json.dumps(
            {"claim": claim, "ratio": ratio, "target": target, "holds": ratio >= target, "low": low, "high": high}
        )
    )
    return ratio >= target


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
