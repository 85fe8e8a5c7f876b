"""Candidates as they are described, counted one by one with tuples and counters: slow, and plain to see."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from planish.find.slop.candidates import ALMOST_ALL, Candidate, Tally
from planish.find.slop.entry_counts import LOOSE_ENDS
from planish.records.score import Sample
from planish.text.entry import Entry, strings
from planish.text.words import FUNCTION_WORDS, word_runs, words


def slow_candidates(samples: Sequence[Sample], least_texts: int, excused: Collection[str] = ()) -> list[Candidate]:
    texts = [word_runs(sample.text) for sample in samples]
    repeated = repeats(texts, least_texts)
    counts: Counter[Entry] = Counter()
    texts_with: Counter[Entry] = Counter()
    prompts_with: Counter[Entry] = Counter()
    words_of: Counter[str] = Counter()
    most: dict[Entry, Tally] = {}
    for prompt, members in _by_prompt(samples).items():
        own: Counter[Entry] = Counter()
        for number in members:
            known = {*excused, *(word.removesuffix("'s") for word in words(samples[number].prompt.content))}
            said = Counter(_entries(texts[number], repeated, known))
            own.update(said)
            texts_with.update(said.keys())
            words_of[prompt] += sum(map(len, texts[number]))
        counts.update(own)
        prompts_with.update(own.keys())
        for entry, count in own.items():
            most[entry] = max(most.get(entry, Tally(0, 0)), Tally(count, words_of[prompt]))
    common = {entry: count for entry, count in counts.items() if texts_with[entry] >= least_texts}
    phrases = maximal({entry: count for entry, count in common.items() if len(entry) > 1}, ALMOST_ALL)
    total = words_of.total()
    return [
        Candidate(
            entry,
            Tally(count, total),
            Tally(count - most[entry].occurrences, total - most[entry].words),
            texts_with[entry],
            prompts_with[entry],
        )
        for entry, count in sorted(common.items())
        if count > most[entry].occurrences and (len(entry) == 1 or entry in phrases)
    ]


def _by_prompt(samples: Sequence[Sample]) -> dict[str, list[int]]:
    """The numbers of each prompt's samples."""
    groups: dict[str, list[int]] = {}
    for number, sample in enumerate(samples):
        prompt = sample.prompt.id if sample.prompt.content.strip() else f"text {number}"
        groups.setdefault(prompt, []).append(number)
    return groups


def _entries(text: Sequence[Sequence[str]], repeated: Collection[Entry], known: Collection[str]) -> Iterator[Entry]:
    longest = max(map(len, repeated), default=0)
    for run in text:
        # The matcher finds "Lily" in "Lily's" too, so they are one entry.
        yield from ((word,) for word in _content(run) if word not in known)
        for length in range(2, longest + 1):
            for entry in strings(run, length):
                if entry in repeated and LOOSE_ENDS.isdisjoint((entry[0], entry[-1])):
                    content = _content(entry)
                    if content and not all(word in known for word in content):
                        yield entry


def _content(run: Sequence[str]) -> list[str]:
    bare = (word.removesuffix("'s") for word in run)
    return [word for word in bare if word not in FUNCTION_WORDS]


def repeats(texts: Sequence[Sequence[Sequence[str]]], least_texts: int) -> set[Entry]:
    """Every string of words that stands in at least so many texts."""
    found: set[Entry] = set()
    length, more = 1, True
    while more:
        texts_with = Counter(
            entry for text in texts for entry in {entry for run in text for entry in strings(run, length)}
        )
        new = {entry for entry, count in texts_with.items() if count >= least_texts}
        found |= new
        length, more = length + 1, bool(new)
    return found


def maximal(counts: Mapping[Entry, int], almost_all: float) -> set[Entry]:
    """The entries that mean something by themselves: none that is one word longer has almost all their occurrences.

    Args:
        counts: occurrences of entries.
        almost_all: the share of its occurrences with which an entry is only a part of the longer one.
    """
    parts = {
        part
        for entry, count in counts.items()
        for part in (entry[1:], entry[:-1])
        if part in counts and count >= almost_all * counts[part]
    }
    return counts.keys() - parts
