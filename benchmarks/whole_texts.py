"""Whole texts: how many megabytes a second are searched for 8,000 phrases, and how much faster than a stream."""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
from claim import ROUNDS, measure, report
from lists import never_met

from planish.find.slop import Slop
from planish.find.structures import Structures
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.records.score import Sample
from planish.text.advancing import AdvancingMatcher
from planish.text.rules import RuleMatcher

DATA = Path(__file__).parents[2] / "shared" / "data"
PHRASES = 8000
# Every so many of the stories: of all models, and a few megabytes.
EVERY = 5
# A stream takes so many times as long that it is given as many times less.
EVERY_STREAMED = 20
MEGABYTE = 1e6
# Phrases, words, words and phrases.
LISTS = ("antislop_slop_phrases_2025-04-07", "antislop_slop_words_2025-04-07", "slop_list", "slop_list_trigrams")


def main() -> int:
    """Measure a list that is never met, and a real one."""
    if not DATA.is_dir():
        print(f"{DATA}: the stories and lists to search are not here", file=sys.stderr)
        return 1
    texts = pl.read_parquet(DATA / "llm_stories.parquet")["text"].to_list()[::EVERY]
    holds: list[bool] = []
    for name, rules in (("never met", never_met(PHRASES)), ("real", real_phrases())):
        matcher, slop = RuleMatcher(rule.pattern for rule in rules), Slop(rules)
        samples = [Sample(opening(""), text) for text in texts]
        holds += [
            megabytes_a_second(f"locate, {PHRASES:,} {name} phrases", texts, locating(matcher, texts), 50),
            faster_than_a_stream(f"locate, {PHRASES:,} {name} phrases", matcher, texts[::EVERY_STREAMED]),
            megabytes_a_second(f"Slop.score, {PHRASES:,} {name} phrases", texts, partial(scored, slop, samples), 10),
        ]
    structures = Structures()
    holds.append(megabytes_a_second("structures, locate", texts, lambda: structures.locate(texts), 3))
    return 0 if all(holds) else 1


def real_phrases() -> list[BanRule]:
    """Phrases and words of public lists, and then the commonest pairs and triples of many models."""
    texts = [
        str(row[0]) for name in LISTS for row in json.loads((DATA / "slop_profiles" / f"{name}.json").read_bytes())
    ]
    profiles = json.loads((DATA / "slop_profiles" / "slop_profile_results.json").read_bytes()).values()
    texts += [row["ngram"] for profile in profiles for row in (*profile["top_trigrams"], *profile["top_bigrams"])]
    return [BanRule(text=text) for text in list(dict.fromkeys(texts))[:PHRASES]]


def locating(matcher: RuleMatcher, texts: list[str]) -> Callable[[], object]:
    """Every text by itself, as one goes through a corpus."""
    return lambda: sum(len(matcher.locate(text)) for text in texts)


def scored(slop: Slop, samples: list[Sample]) -> int:
    """The hits in all samples."""
    return sum(len(slop.score([sample])) for sample in samples)


def megabytes_a_second(claim: str, texts: list[str], work: Callable[[], object], target: float) -> bool:
    """On one thread, in UTF-8."""
    size = sum(len(text.encode()) for text in texts) / MEGABYTE
    work()
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        rates.append(size / (time.process_time() - started))
    return report(f"{claim}, MB/s", rates, target)


def faster_than_a_stream(claim: str, matcher: RuleMatcher, texts: list[str]) -> bool:
    """Against the same texts fed as one piece each."""
    streamed = [sorted(AdvancingMatcher.locate(matcher, text)) for text in texts]
    if streamed != [matcher.locate(text) for text in texts]:
        raise AssertionError("a stream finds something else")
    return measure(
        f"{claim}, as a multiple of a stream's speed",
        lambda: [AdvancingMatcher.locate(matcher, text) for text in texts],
        locating(matcher, texts),
        10,
        time.process_time,
    )


if __name__ == "__main__":
    sys.exit(main())
