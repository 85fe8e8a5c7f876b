"""What a model says too often, compared with people."""

import math
from collections.abc import Collection, Mapping, Sequence

from planish.find.human import HumanProfile
from planish.find.slop.candidates import Candidate, candidates
from planish.records.rule import BanRule, Overuse
from planish.records.score import Sample
from planish.statistics.false_discovery import false_discovery_rates
from planish.statistics.log_odds import LogOdds, log_odds
from planish.text.repeats import Entry
from planish.text.words import words

# However few the texts are, an entry stands in as many of them.
LEAST_TEXTS = 3
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
    """What these texts say too often, each with the reason; first what is said too often the most.

    Each entry is judged without the prompt in whose texts it stands most often, so that no single prompt lists
    anything: log odds, z and q are of the other texts. Entries are in order of count times log odds: what each adds to
    the distance from people.

    Args:
        samples: texts of one model, with their prompts. What a prompt says is excused in its own texts.
        human: what people say; the bundled profile by default.
        least_ratio: an entry is listed when its odds are surely this many times the human ones.
        least_share: and when at least this share of the texts has it, so that one strange text lists nothing.
        false_discovery_rate: expected share of entries on the list that are below `least_ratio`.
        whitelist: words and phrases never to be listed.
    """
    human = human or HumanProfile.bundled()
    allowed = {tuple(words(text)) for text in whitelist}
    least_texts = max(LEAST_TEXTS, math.ceil(least_share * len(samples)))
    single_words = [entry[0] for entry in allowed if len(entry) == 1]
    found = candidates(samples, least_texts, single_words)
    scored = [_against(human, one, least_ratio) for one in found]
    rates = false_discovery_rates([odds.p for odds in scored])
    overused = {
        one.entry: _overuse(human, one, odds, float(q))
        for one, odds, q in zip(found, scored, rates, strict=True)
        if q <= false_discovery_rate
    }
    once = _each_tic_once({entry: overuse.count for entry, overuse in overused.items()})
    kept = [entry for entry in once if not _is_protected(entry, allowed)]
    ordered = sorted(kept, key=lambda entry: (-overused[entry].count * overused[entry].log_odds, entry))
    return [_rule(entry, overused[entry], len(samples)) for entry in ordered]


def _against(human: HumanProfile, one: Candidate, least_ratio: float) -> LogOdds:
    return log_odds(*one.elsewhere, *human.estimate(one.entry), least_ratio)


def _overuse(human: HumanProfile, one: Candidate, odds: LogOdds, q: float) -> Overuse:
    return Overuse(
        count=one.everywhere.occurrences,
        texts=one.texts,
        rate_per_1k_words=1000 * one.everywhere.occurrences / one.everywhere.words,
        human_rate_per_1k_words=1000 * human.rate(one.entry),
        log_odds=odds.value,
        z=odds.z,
        q=q,
    )


def _rule(entry: Entry, overuse: Overuse, texts: int) -> BanRule:
    reason = (
        f"{overuse.count} times in {overuse.texts} of {texts} texts: even without the prompt that brings it most, "
        f"{math.exp(overuse.log_odds):,.0f} times as often as people write it"
    )
    return BanRule(text=" ".join(entry), reason=reason, overuse=overuse)


def _each_tic_once(counts: Mapping[Entry, int]) -> list[Entry]:
    """The longer entry where a shorter one hardly occurs outside it, else the shorter and none around it."""
    mostly_inside = {
        part for entry in counts for part in _parts(entry, counts) if counts[entry] >= MOSTLY * counts[part]
    }
    alone = counts.keys() - mostly_inside
    return [entry for entry in alone if not any(part in alone for part in _parts(entry, counts))]


def _is_protected(entry: Entry, allowed: Collection[Entry]) -> bool:
    """Whether banning the entry would ban something that is allowed: itself, or a phrase around it or within it."""
    if entry in allowed:
        return True
    phrases = [phrase for phrase in allowed if len(phrase) > 1]
    return any(_parts(phrase, {entry: 0}) or _parts(entry, {phrase: 0}) for phrase in phrases)


def _parts(entry: Entry, known: Mapping[Entry, int]) -> list[Entry]:
    """The known entries that stand within an entry."""
    within = (
        entry[start : start + length] for length in range(1, len(entry)) for start in range(len(entry) - length + 1)
    )
    return [part for part in within if part in known]
