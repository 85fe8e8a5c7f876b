"""How often the lists and the structures stand in a corpus, and how varied it is: one pass, with intervals."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import ClassVar, NamedTuple

import numpy as np

from planish.find.slop.tallies import Column, Gauge, Tallies
from planish.find.structures import STRUCTURES
from planish.records.corpus_profile import Figure, Rate
from planish.records.rule import BanRule
from planish.statistics.dispersion import deviations_of_proportions
from planish.statistics.poisson_bootstrap import count_bounds, ratio_bounds
from planish.text.corpus import Shard

SLOP_INDEX = "slop_index"
PER = 1000
# Several, so that no process waits long for another.
TASKS_EACH = 8


class Kind(NamedTuple):
    """A figure: one sum over another; `over` sums to the number of documents it was taken over.

    Where the numerator counts documents, its interval is never narrower than that of as many lone ones.
    """

    name: str
    unit: str
    numerator: Column
    denominator: Column
    over: Column
    is_count: bool = False


KINDS = (
    Kind("words_per_text", "words", Column.WORDS, Column.TEXTS, Column.TEXTS),
    Kind("mattr", "share", Column.MOVING_RATIO, Column.LONG_ENOUGH, Column.LONG_ENOUGH),
    Kind("mtld", "words", Column.LEXICAL_DIVERSITY, Column.LONG_ENOUGH, Column.LONG_ENOUGH),
    Kind("repetition", "share", Column.REPEATED, Column.WORDS, Column.TEXTS),
    Kind("refusal_share", "share", Column.REFUSED, Column.TEXTS, Column.TEXTS, is_count=True),
)


class Measured(NamedTuple):
    """What stands in a corpus; `rates` are of the rules, in their order."""

    texts: int
    words: int
    characters: int
    left_out: Mapping[str, int]
    rates: tuple[Rate, ...]
    index_rate: Rate
    structures: tuple[Rate, ...]
    figures: tuple[Figure, ...]


def measure(
    shards: Sequence[Shard], rules: Sequence[BanRule], index: Sequence[BanRule], *, processes: int = 1, seed: int = 0
) -> Measured:
    """Count everything in one pass over the documents.

    Rates are sums of hits over sums of words. An interval is over documents, by Poisson bootstrap; that of a rate is
    never narrower than that of as many hits that come by themselves. A figure that no document can tell is left out.

    Args:
        shards: of a corpus; there is a word in it.
        rules: each is counted by itself, so that its rate does not depend on the others.
        index: a list whose rate is told as a whole.
        processes: how many count at once; it changes no figure.
        seed: of the resamples.
    """
    names = [SLOP_INDEX, *(rule.text for rule in rules), *(structure.name for structure in STRUCTURES)]
    tallies = _tallies(shards, partial(Gauge, rules, index, seed), Column.INDEX + len(names), processes)
    index_rate, *rates = _rates(tallies, names)
    return Measured(
        texts=_total(tallies, Column.TEXTS),
        words=_total(tallies, Column.WORDS),
        characters=_total(tallies, Column.CHARACTERS),
        left_out=dict(sorted(tallies.left_out.items())),
        rates=tuple(rates[: len(rules)]),
        index_rate=index_rate,
        structures=tuple(rates[len(rules) :]),
        figures=tuple(_figure(tallies, kind) for kind in KINDS if _total(tallies, kind.over)),
    )


def _total(tallies: Tallies, column: Column) -> int:
    return int(tallies.sums[column, 0])


def _rates(tallies: Tallies, names: Sequence[str]) -> list[Rate]:
    """Of the index and all that follows it, by their names."""
    words, sums = tallies.sums[Column.WORDS], tallies.sums[Column.INDEX :]
    hits = sums[:, 0]
    drawn, counted = ratio_bounds(sums[:, 1:], words[1:]), count_bounds(hits)
    low, high = np.minimum(drawn.low, counted.low / words[0]), np.maximum(drawn.high, counted.high / words[0])
    columns, part_hits, part_words = tallies.parts
    items = columns - Column.INDEX
    texts = np.bincount(items, minlength=len(names))
    sizes = int(words[0]), int(tallies.fewest)
    dispersions = deviations_of_proportions(items, part_hits, part_words, *sizes, len(names))
    return [
        Rate(
            name=name,
            hits=int(hits[at]),
            texts=int(texts[at]),
            rate_per_1k_words=PER * hits[at] / words[0],
            low=PER * low[at],
            high=PER * high[at],
            dispersion=dispersions[at],
        )
        for at, name in enumerate(names)
    ]


def _figure(tallies: Tallies, kind: Kind) -> Figure:
    numerator, denominator = tallies.sums[kind.numerator], tallies.sums[kind.denominator]
    low, high = (bound[0] for bound in ratio_bounds(numerator[None, 1:], denominator[1:]))
    if kind.is_count:
        counted = count_bounds(numerator[:1])
        low = min(low, counted.low[0] / denominator[0])
        high = max(high, min(1.0, counted.high[0] / denominator[0]))
    return Figure(
        name=kind.name,
        unit=kind.unit,
        value=numerator[0] / denominator[0],
        low=low,
        high=high,
        n=_total(tallies, kind.over),
    )


def _tallies(shards: Sequence[Shard], gauge: Callable[[], Gauge], columns: int, processes: int) -> Tallies:
    """Of all shards, whoever reads them."""
    workers = min(processes, len(shards))
    if workers <= 1:
        return gauge().read(shards)
    size = math.ceil(len(shards) / (TASKS_EACH * workers))
    tasks = [shards[start : start + size] for start in range(0, len(shards), size)]
    # Not forked: that would copy locks which other threads hold.
    with ProcessPoolExecutor(workers, get_context("spawn"), _Worker.start, (gauge,)) as pool:
        return Tallies.joined(pool.map(_Worker.read, tasks), columns)


class _Worker:
    """What a process keeps between its tasks."""

    gauge: ClassVar[Gauge]

    @classmethod
    def start(cls, gauge: Callable[[], Gauge]) -> None:
        cls.gauge = gauge()

    @classmethod
    def read(cls, shards: Sequence[Shard]) -> Tallies:
        return cls.gauge.read(shards)
