"""Slop: words and phrases that a model writes far more often than people do."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from wordfreq import word_frequency

from planish.records.rule import BanRule
from planish.records.score import Failure, Sample, Score
from planish.statistics.overuse import rate_ratio_low
from planish.text.matcher import Matcher
from planish.text.phrases import PhraseMatcher
from planish.text.span import Span, longest_without_overlap
from planish.text.words import FUNCTION_WORDS, WORD, word_runs, words

# What wordfreq has never seen is taken to be this rare: one in a hundred million words.
RAREST = 1e-8
LONGEST_PHRASE = 5
# A word or phrase with this share of its occurrences inside a longer phrase is only a part of that.
MOSTLY = 0.75

Entry = tuple[str, ...]


class Slop:
    """A frozen list of overused words and phrases, as a behaviour. `value` is the share of words inside a hit."""

    name = "slop"

    def __init__(self, rules: Sequence[BanRule]) -> None:
        self.rules = list(rules)
        self._matcher = PhraseMatcher(rule.text for rule in rules)
        listed = "\n".join(self._matcher.phrases)
        self.version = hashlib.blake2b(listed.encode(), digest_size=4).hexdigest()

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """Hits and words of each text; a hit is a longest match that overlaps no other."""
        scores: list[Score | Failure] = []
        for sample, spans in zip(samples, self.locate([sample.text for sample in samples]), strict=True):
            said = list(WORD.finditer(sample.text))
            total = len(said)
            # A hit may end inside a word, as "well" does in "well-known"; the word is still one.
            inside = sum(any(span.start < word.end() and word.start() < span.end for span in spans) for word in said)
            scores.append(
                Score(
                    generation_id=sample.generation_id,
                    behaviour=self.name,
                    version=self.version,
                    value=inside / total if total else 0.0,
                    hits=len(spans),
                    words=total,
                    spans=tuple(spans),
                )
            )
        return scores

    def locate(self, texts: Sequence[str]) -> list[list[Span]]:
        """Longest matches without overlap."""
        return [longest_without_overlap(self._matcher.locate(text)) for text in texts]

    def matcher(self) -> Matcher:
        """The list as an automaton."""
        return self._matcher


def find_slop(samples: Sequence[Sample], least_ratio: float = 20.0, least_share: float = 0.04) -> list[BanRule]:
    """What these texts say too often, most overused first, each with the reason.

    A word is compared with its frequency among people (wordfreq); a phrase with that of its rarest word, since no
    phrase can be more frequent than its rarest word. A text's own prompt excuses the words that stand in it.

    Args:
        samples: texts of one model, with their prompts.
        least_ratio: an entry is listed when its rate is surely (95 %) this many times the human one.
        least_share: and when at least this share of the texts has it, so that one strange text lists nothing.
    """
    counts: Counter[Entry] = Counter()
    texts_with: Counter[Entry] = Counter()
    total = 0
    for sample in samples:
        total += len(words(sample.text))
        excused = {word.removesuffix("'s") for word in words(sample.prompt.content)}
        own = Counter(entry for run in word_runs(sample.text) for entry in _entries(run, excused))
        counts.update(own)
        texts_with.update(own.keys())
    overused = {}
    for entry, texts in texts_with.items():
        ratio = rate_ratio_low(counts[entry], total, human_rate=min(map(_human_rate, entry)))
        if texts >= max(2, least_share * len(samples)) and ratio >= least_ratio:
            overused[entry] = ratio
    listed = sorted(_widest(overused, counts), key=lambda entry: -overused[entry])
    return [
        BanRule(
            text=" ".join(entry),
            reason=f"{counts[entry]} times in {total} words, in {texts_with[entry]} of {len(samples)} texts: "
            f"at least {overused[entry]:.0f} times the human rate",
        )
        for entry in listed
    ]


def _entries(run: Sequence[str], excused: set[str]) -> Iterator[Entry]:
    for length in range(1, LONGEST_PHRASE + 1):
        for start in range(len(run) - length + 1):
            entry = tuple(run[start : start + length])
            if length == 1:
                # The matcher finds "Lily" in "Lily's" too, so they are one entry.
                entry = (entry[0].removesuffix("'s"),)
            content = [word for word in entry if word.removesuffix("'s") not in FUNCTION_WORDS]
            # A single function word is nobody's tic; a phrase of two is left to its words.
            if content and length != 2 and not excused.issuperset(content):
                yield entry


def _human_rate(word: str) -> float:
    return max(word_frequency(word, "en"), RAREST)


def _widest(overused: Mapping[Entry, float], counts: Counter[Entry]) -> list[Entry]:
    """Each tic once: the phrase where a word hardly occurs outside it, else the word and no phrase around it."""
    kept: list[Entry] = []
    for entry in sorted(overused, key=len, reverse=True):
        longer = [other for other in overused if len(other) > len(entry) and _contains(other, entry)]
        if all(counts[other] < MOSTLY * counts[entry] for other in longer):
            kept.append(entry)
    words_kept = {entry[0] for entry in kept if len(entry) == 1}
    return [entry for entry in kept if len(entry) == 1 or words_kept.isdisjoint(entry)]


def _contains(longer: Entry, entry: Entry) -> bool:
    return any(longer[start : start + len(entry)] == entry for start in range(len(longer) - len(entry) + 1))
