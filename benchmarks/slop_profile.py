"""What a corpus overuses, words and phrases of any length against people: speed, growth and memory.

The corpus is stories by 23 LLMs. A profile is all of it: documents are read, counted and compared with people. Only the
human profile and the list of wordfreq are loaded once, before. Unless two processes share the work, time is that of the
processor, in which other work on the machine does not count.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import polars as pl
from claim import ROUNDS, report

from planish.find.human import HumanProfile
from planish.find.slop.candidates import count_candidates
from planish.find.slop.discovery import overused
from planish.text.corpus import SHARD_BYTES, open_corpus

DATA = Path(__file__).parents[2] / "shared" / "data"
STORIES = DATA / "llm_stories.parquet"
LEAST_SHARE = 0.02
MILLION = 1_000_000
FASTER, TIMES, NO_SLOWER = 40.0, 16, 1 / 1.2
# The corpus is one shard by itself; in several it is counted as larger ones are.
SMALL_SHARD_BYTES = 1 << 20
NAME = "a profile of stories, with reading and the comparison with people"


def profile(stories: Path, shard_bytes: int = SHARD_BYTES, processes: int = 1) -> int:
    """Read, count, compare; say how many words there were."""
    shards = open_corpus(stories, "text", "prompt", shard_bytes=shard_bytes).shards
    counts = count_candidates(shards, LEAST_SHARE, (), processes)
    overused(counts, HumanProfile.bundled())
    return counts.words


def load_once() -> None:
    """What does not depend on the corpus."""
    HumanProfile.bundled().rate(("a",))


def speeds() -> list[float]:
    """Words a second of a processor, a figure a round."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        words = profile(STORIES)
        found.append(words / (time.process_time() - started))
    return found


def prototype_seconds() -> float:
    """Seconds of a processor; it is too slow for several rounds."""
    import prototype_profile  # what a process that only counts need not load

    human = json.loads((DATA / "slop_profiles" / "human_slop_profile.json").read_text())["human-authored"]
    scale = prototype_profile.PER_CHARACTERS / (human["num_texts_analyzed"] * human["avg_length"])
    rows = human["top_bigrams"] + human["top_trigrams"]
    ngrams = {tuple(row["ngram"].split()): scale * row["frequency"] for row in rows}
    table = pl.read_parquet(STORIES)
    started = time.process_time()
    prototype_profile.profile(table["text"].to_list(), ngrams)
    return time.process_time() - started


def measure_grown(stories: str, processes: str) -> None:
    """Print how many words there are, processor and wall seconds, and the most memory of a process, in MiB."""
    load_once()
    started, on_processor = time.perf_counter(), time.process_time()
    words = profile(Path(stories), SMALL_SHARD_BYTES, int(processes))
    taken = {"words": words, "processor": time.process_time() - on_processor, "wall": time.perf_counter() - started}
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps(taken | {"peak_mib": peak / 1024}))


def grown(stories: Path, processes: int = 1) -> dict[str, float]:
    """What a profile takes, in a process of its own."""
    command = [sys.executable, __file__, str(stories), str(processes)]
    taken: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - our own command
    return taken


def copies(times: int, folder: Path) -> Path:
    """So many copies of the corpus, one after the other."""
    stories = folder / f"{times}.parquet"
    pl.concat([pl.read_parquet(STORIES, columns=["text", "prompt"])] * times).write_parquet(stories, row_group_size=512)
    return stories


def spread(speeds: Sequence[float], unit: float) -> dict[str, float]:
    """The median of some speeds, the least and the largest."""
    each = sorted(speed / unit for speed in speeds)
    return {"ratio": round(median(each), 3), "low": round(each[0], 3), "high": round(each[-1], 3)}


def main() -> int:
    """Words a second, how many times those of the prototype, and how time and memory grow with the corpus."""
    load_once()
    ours, slow = speeds(), prototype_seconds()
    words = profile(STORIES)
    print(json.dumps({"claim": f"{NAME}: million words a second, one process", **spread(ours, MILLION)}))
    than_prototype = f"times as fast as the prototype's with NLTK, which takes {slow:.0f} s for {words} words"
    print(json.dumps({"claim": f"{NAME}: {than_prototype}, one process", **spread(ours, words / slow)}))
    with TemporaryDirectory() as folder:
        large_stories = copies(TIMES, Path(folder))
        small, large, shared = grown(copies(1, Path(folder))), grown(large_stories), grown(large_stories, 2)
    linear = large["words"] / large["processor"] / (small["words"] / small["processor"])
    holds = report(f"{NAME}: words a second at {TIMES} times the size, against those at one", [linear], NO_SLOWER)
    speed = shared["words"] / shared["wall"] / MILLION
    holds &= report(f"{NAME}: million words a second at {TIMES} times the size, two processes, wall", [speed], 1.0)
    claim = f"{NAME}: {than_prototype}, at {TIMES} times the size, two processes, wall"
    holds &= report(claim, [speed * MILLION * slow / words], FASTER)
    peaks = {
        "claim": f"{NAME}: peak memory of one process at {TIMES} times the size, {large['peak_mib']:.0f} MiB, "
        f"against that at one",
        "ratio": round(large["peak_mib"] / small["peak_mib"], 2),
    }
    print(json.dumps(peaks))
    return 0 if holds else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_grown(*sys.argv[1:])
    else:
        sys.exit(main())
