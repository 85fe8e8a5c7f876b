"""Several corpora side by side: what they all overuse, what only one does, and which of them are alike."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

from scipy.cluster.hierarchy import linkage

from planish.records.corpus_profile import Rate
from planish.records.family import Family, FamilyRule, Merge
from planish.statistics.false_discovery import false_discovery_rates

# Lists are compared by so many of their first entries.
TOP = 200
# Half the width of a 95 % interval, in standard errors.
NORMAL_95 = 1.96

Lists = Mapping[str, Sequence[str]]
# Of every corpus, by its name, the rates of rules by their text.
Rates = Mapping[str, Mapping[str, Rate]]


def compared(lists: Lists) -> list[str]:
    """What stands among the first of any list, in order of the alphabet."""
    return sorted({text for listed in lists.values() for text in listed[:TOP]})


def family(lists: Lists, rates: Rates, false_discovery_rate: float = 0.05) -> Family:
    """What is shared, what is private, and the tree of the lists.

    Args:
        lists: what each of two corpora or more overuses, by the corpus' name; first what it overuses most.
        rates: how often each corpus says each of `compared(lists)`.
        false_discovery_rate: expected share of private rules that another corpus says as often.
    """
    names = sorted(lists)
    members = {name: frozenset(lists[name]) for name in names}
    listed_by = {text: tuple(name for name in names if text in members[name]) for text in compared(lists)}
    private = _private(listed_by, rates, false_discovery_rate)
    rules = [
        FamilyRule(
            text=text,
            listed_by=listing,
            rates=tuple(rates[name][text] for name in names),
            shared_by="private" if text in private else _shared_by(len(listing), len(names)),
        )
        for text, listing in listed_by.items()
    ]
    merges = _merges([frozenset(lists[name][:TOP]) for name in names])
    return Family(
        names=tuple(names),
        rules=tuple(sorted(rules, key=_rank)),
        merges=tuple(merges),
        newick=_newick(names, merges),
    )


def _rank(rule: FamilyRule) -> tuple[int, float, str]:
    return -len(rule.listed_by), -max(rate.rate_per_1k_words for rate in rule.rates), rule.text


def _shared_by(listing: int, corpora: int) -> Literal["all", "most", "some"]:
    if listing == corpora:
        return "all"
    return "most" if 2 * listing > corpora else "some"


def _private(listed_by: Mapping[str, Sequence[str]], rates: Rates, false_discovery_rate: float) -> set[str]:
    """What is on one list only and surely more frequent there: the least sure of all comparisons counts."""
    alone = {text: listing[0] for text, listing in listed_by.items() if len(listing) == 1}
    p_values = [
        max(_p_value(rates[owner][text], rates[other][text]) for other in rates if other != owner)
        for text, owner in alone.items()
    ]
    q_values = false_discovery_rates(p_values)
    return {text for text, q in zip(alone, q_values, strict=True) if q <= false_discovery_rate}


def _p_value(ours: Rate, theirs: Rate) -> float:
    """Of ours being no higher than theirs, one-sided.

    Source: Zou and Donner, Construction of confidence limits about effect measures (2008), for the spread of a
    difference from the sides of two intervals that face each other.
    """
    spread = math.hypot(ours.rate_per_1k_words - ours.low, theirs.high - theirs.rate_per_1k_words)
    difference = ours.rate_per_1k_words - theirs.rate_per_1k_words
    if spread == 0:
        return 0.0 if difference > 0 else 1.0
    return math.erfc(NORMAL_95 * difference / spread / math.sqrt(2)) / 2


def _merges(tops: Sequence[frozenset[str]]) -> list[Merge]:
    """Average linkage: the distance of two branches is the mean over their pairs of lists.

    Source: Sokal and Michener, A statistical method for evaluating systematic relationships (1958).
    """
    distances = [1 - _overlap(first, second) for first, second in combinations(tops, 2)]
    return [
        Merge(first=int(first), second=int(second), distance=float(distance), leaves=int(leaves))
        for first, second, distance, leaves in linkage(distances, "average")
    ]


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second) if first | second else 1.0


def _newick(names: Sequence[str], merges: Sequence[Merge]) -> str:
    """The tree as text. A branch is as long as it lifts the halved distance."""
    branches = [("'" + name.replace("'", "''") + "'", 0.0) for name in names]
    for merge in merges:
        height = merge.distance / 2
        pair = (branches[number] for number in (merge.first, merge.second))
        joined = ",".join(f"{branch}:{height - below:.6g}" for branch, below in pair)
        branches.append((f"({joined})", height))
    return branches[-1][0] + ";"
