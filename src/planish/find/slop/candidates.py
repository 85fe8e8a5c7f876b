"""What could be slop: the words and phrases that a set of texts says again and again."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from planish.records.score import Sample
from planish.text.repeats import Entry, maximal, repeats, strings
from planish.text.words import FUNCTION_WORDS, word_runs, words

LONGEST_PHRASE = 8
# A phrase is a piece of a longer one that has this share of its occurrences.
ALMOST_ALL = 0.9
# A phrase neither begins nor ends with these: "a hint of" is "hint of", and "a smile" is no phrase.
LOOSE_ENDS = frozenset(
    "a an the and or but that as my your his her its our their i you he she it we they this these those".split()  # noqa: SIM905
)


class Tally(NamedTuple):
    """Occurrences, and the running words in which they were counted."""

    occurrences: int
    words: int


class Candidate(NamedTuple):
    """An entry, how often it stands in all texts, in how many of them, and how often without the prompt that has most.

    `elsewhere` leaves out all texts of the prompt in whose texts the entry stands most often: what remains is not that
    prompt's doing.
    """

    entry: Entry
    everywhere: Tally
    elsewhere: Tally
    texts: int


def candidates(samples: Sequence[Sample], least_texts: int, excused: Collection[str] = ()) -> list[Candidate]:
    """Words, and maximal repeated phrases of 2 to 8 words, in order of the alphabet.

    A phrase stands between two punctuation marks. An entry of function words alone is none. An entry whose content
    words all stand in a text's own prompt is not counted in that text.

    Args:
        samples: texts with their prompts; each text with an empty prompt counts as one of its own prompt.
        least_texts: an entry has to stand in as many texts, and in texts of at least two prompts.
        excused: words that count nowhere.
    """
    texts = [word_runs(sample.text) for sample in samples]
    repeated = repeats(texts, LONGEST_PHRASE, least_texts)
    counts: Counter[Entry] = Counter()
    texts_with: Counter[Entry] = Counter()
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
    for run in text:
        # The matcher finds "Lily" in "Lily's" too, so they are one entry.
        yield from ((word,) for word in _content(run) if word not in known)
        for length in range(2, LONGEST_PHRASE + 1):
            for entry in strings(run, length):
                if entry in repeated and LOOSE_ENDS.isdisjoint((entry[0], entry[-1])):
                    content = _content(entry)
                    if content and not all(word in known for word in content):
                        yield entry


def _content(run: Sequence[str]) -> list[str]:
    bare = (word.removesuffix("'s") for word in run)
    return [word for word in bare if word not in FUNCTION_WORDS]
