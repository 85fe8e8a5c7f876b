"""What a model says too often, compared with people."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile

from planish.find.human import HumanProfile
from planish.find.slop.candidates import Candidate, Counts, count_samples
from planish.records.rule import BanRule, Overuse
from planish.records.score import Sample
from planish.statistics.false_discovery import false_discovery_rates
from planish.statistics.log_likelihood import log_likelihood
from planish.statistics.log_odds import LogOdds, log_odds
from planish.text.entry import Entry, strings
from planish.text.words import joined, words

# What so many prompts bring comes again with others. Without the one that brings it most they are five; did none of as
# many other prompts bring it, all five would stand on this side by a chance of 1 in 32, which is less than 5 %.
# Source: Dixon and Mood, The statistical sign test (1946).
LEAST_PROMPTS = 6
# An entry with this share of its occurrences inside a longer one is only a part of that.
MOSTLY = 0.75


def find_slop(
    samples: Sequence[Sample],
    human: HumanProfile | None = None,
    least_ratio: float = 5.0,
    least_share: float = 0.02,
    false_discovery_rate: float = 0.05,
    whitelist: Collection[str] = (),
) -> list[BanRule]:
    """What these texts say too often, each with the reason; see `overused`.

    Args:
        samples: texts of one model, with their prompts. What a prompt says is excused in its own texts.
        human: what people say; the bundled profile by default.
        least_ratio: see `overused`.
        least_share: an entry is listed when at least this share of the texts has it, so that one strange text lists
            nothing.
        false_discovery_rate: see `overused`.
        whitelist: words and phrases never to be listed.
    """
    single_words = [said[0] for said in map(words, whitelist) if len(said) == 1]
    counts = count_samples(samples, least_share, single_words)
    return overused(counts, human or HumanProfile.bundled(), least_ratio, false_discovery_rate, whitelist)


def overused(
    counts: Counts,
    human: HumanProfile,
    least_ratio: float = 5.0,
    false_discovery_rate: float = 0.05,
    whitelist: Collection[str] = (),
    *,
    names: bool = True,
    least_prompts: int = LEAST_PROMPTS,
) -> list[BanRule]:
    """What is said too often, each with the reason; first what is said too often the most.

    Each entry is judged without the prompt in whose texts it stands most often, so that no single prompt lists
    anything: log odds, z, q and G² are of the other texts. Entries are in order of count times log odds: what each adds
    to the distance from people.

    Args:
        counts: how often everything is said.
        human: what people say.
        least_ratio: an entry is listed when its odds are surely this many times the human ones.
        false_discovery_rate: expected share of entries on the list that are below `least_ratio`.
        whitelist: words and phrases never to be listed.
        names: whether names are listed, and phrases with a name in them: models have favourite ones.
        least_prompts: an entry has to stand in the texts of at least so many prompts, so that it is the model's and
            not theirs; of half, where there are fewer than twice as many.
    """
    least_prompts = min(least_prompts, math.ceil(counts.prompts / 2))
    found = [one for one in counts.candidates if names or not _has(one.entry, counts.names)]
    scored = [_against(human, one, least_ratio) for one in found]
    rates = false_discovery_rates([odds.p for odds in scored])
    listed = {
        one.entry: _overuse(human, one, odds, float(q))
        for one, odds, q in zip(found, scored, rates, strict=True)
        if q <= false_discovery_rate and one.prompts >= least_prompts
    }
    allowed = {tuple(words(text)) for text in whitelist}
    once = _each_tic_once({entry: overuse.count for entry, overuse in listed.items()})
    kept = [entry for entry in once if not _is_protected(entry, allowed)]
    ordered = sorted(kept, key=lambda entry: (-listed[entry].count * listed[entry].log_odds, entry))
    return [_rule(entry, listed[entry], counts.texts) for entry in ordered]


def _against(human: HumanProfile, one: Candidate, least_ratio: float) -> LogOdds:
    return log_odds(*one.elsewhere, *human.estimate(one.entry), least_ratio)


def _overuse(human: HumanProfile, one: Candidate, odds: LogOdds, q: float) -> Overuse:
    people = human.estimate(one.entry)
    return Overuse(
        count=one.everywhere.occurrences,
        texts=one.texts,
        rate_per_1k_words=1000 * one.everywhere.occurrences / one.everywhere.words,
        human_rate_per_1k_words=1000 * people.rate,
        log_odds=odds.value,
        z=odds.z,
        q=q,
        g2=log_likelihood(*one.elsewhere, people.rate * people.words, people.words),
    )


def _rule(entry: Entry, overuse: Overuse, texts: int) -> BanRule:
    reason = (
        f"{overuse.count} times in {overuse.texts} of {texts} texts: even without the prompt that brings it most, "
        f"{math.exp(overuse.log_odds):,.0f} times as often as people write it"
    )
    return BanRule(text=joined(entry), reason=reason, overuse=overuse)


def _has(entry: Entry, names: Collection[str]) -> bool:
    return any(word.removesuffix("'s") in names for word in entry)


def _each_tic_once(counts: Mapping[Entry, int]) -> list[Entry]:
    """The longer entry where a shorter one hardly occurs outside it, else the shorter and none around it."""
    lengths = sorted({len(entry) for entry in counts})
    parts = {entry: [part for part in _parts(entry, lengths) if part in counts] for entry in counts}
    mostly_inside = {
        part for entry, within in parts.items() for part in within if counts[entry] >= MOSTLY * counts[part]
    }
    alone = counts.keys() - mostly_inside
    return [entry for entry in alone if alone.isdisjoint(parts[entry])]


def _parts(entry: Entry, lengths: Sequence[int]) -> Iterator[Entry]:
    """What stands within an entry, of these lengths, ascending, that are less than its own."""
    for length in takewhile(len(entry).__gt__, lengths):
        yield from strings(entry, length)


def _is_protected(entry: Entry, allowed: Collection[Entry]) -> bool:
    """Whether banning the entry would ban something that is allowed: itself, or a phrase around it or within it."""
    phrases = [phrase for phrase in allowed if len(phrase) > 1]
    return entry in allowed or any(_stands_in(entry, phrase) or _stands_in(phrase, entry) for phrase in phrases)


def _stands_in(part: Entry, whole: Entry) -> bool:
    return part in strings(whole, len(part))
