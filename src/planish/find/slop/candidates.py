"""What could be slop: the words and phrases that a set of texts says again and again."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial, reduce
from itertools import pairwise
from multiprocessing import get_context
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from planish.find.slop.entry_counts import COUNT, EntryCounts, Sums, places_in
from planish.find.slop.material import Material
from planish.find.slop.pool import Pool
from planish.find.slop.survey import (
    LEAST_TEXTS,
    Part,
    Survey,
    count,
    frequent_entries,
    least_texts_in,
    material_of,
    read,
    survey,
)
from planish.records.score import Sample
from planish.text.corpus import Document, Shard
from planish.text.entry import Entry
from planish.text.word_ids import Numbers
from planish.text.words import FUNCTION_WORDS

# A phrase is a piece of a longer one that has this share of its occurrences.
ALMOST_ALL = 0.9
# Of the occurrences of a name within a run of words at least this share, and this many, have a capital.
CAPITAL_SHARE, LEAST_CAPITALS = 0.9, 3

Result = TypeVar("Result")


class Tally(NamedTuple):
    """Occurrences, and the running words in which they were counted."""

    occurrences: int
    words: int


class Candidate(NamedTuple):
    """An entry, how often it stands in all texts, in how many of them, and how often without the prompt that has most.

    `prompts` are those in whose texts it stands; each text without one counts as one of its own prompt. `elsewhere`
    leaves out all texts of the prompt in whose texts the entry stands most often: what remains is not that prompt's
    doing.
    """

    entry: Entry
    everywhere: Tally
    elsewhere: Tally
    texts: int
    prompts: int


class Counts(NamedTuple):
    """Candidates in order of the alphabet, and the size of what they were counted in.

    `left_out` says how many documents could not be read, by reason. `names` are the words of candidates that nearly
    always have a capital where a word comes right before.
    """

    candidates: list[Candidate]
    texts: int
    prompts: int
    words: int
    characters: int
    left_out: Mapping[str, int]
    names: frozenset[str] = frozenset()


class _ForEach(Protocol):
    """Does a piece of work for each part of a corpus; what comes of it is in their order."""

    def __call__(self, work: Callable[[Part], Result], parts: Iterable[Part], /) -> Iterable[Result]: ...


def count_candidates(
    shards: Sequence[Shard], least_share: float, excused: Collection[str] = (), processes: int = 1
) -> Counts:
    """The candidates of a corpus; see `candidates`.

    What has its share of all texts has it in the texts of some part. So each part first says what is frequent there,
    and all of that is then counted in every part: the figures are those of the whole, and no process ever has more than
    a part in memory. That is a shard, or several where these have fewer texts than 2 / `least_share`.

    Args:
        shards: the documents.
        least_share: an entry has to stand in at least this share of the texts, and in at least `LEAST_TEXTS`.
        excused: words that count nowhere.
        processes: how many count at once; it changes no figure.

    Source: Savasere, Omiecinski and Navathe, An Efficient Algorithm for Mining Association Rules in Large Databases
    (1995), section 3.
    """
    if len(shards) > 1:
        with _workers(min(processes, len(shards))) as for_each:
            surveys, frequent = _surveyed([[shard] for shard in shards], least_share, for_each)
            parts = _parts(shards, [each.texts for each in surveys], least_share)
            if len(parts) > 1:
                joined = [part for part in parts if len(part) > 1]
                frequent |= _surveyed(joined, least_share, for_each)[1]
                return _counted_in_parts(parts, surveys, Pool.of(frequent), least_share, excused, for_each)
    documents, left_out = read(shards)
    return _counted(material_of(documents, excused), _least_texts(len(documents), least_share), left_out)


def candidates(samples: Sequence[Sample], least_texts: int, excused: Collection[str] = ()) -> list[Candidate]:
    """Words, and maximal repeated phrases of any length, in order of the alphabet.

    A phrase stands between two punctuation marks. An entry of function words alone is none. An entry whose content
    words all stand in a text's own prompt is not counted in that text.

    Args:
        samples: texts with their prompts; each text with an empty prompt counts as one of its own prompt.
        least_texts: an entry has to stand in as many texts, and in texts of at least two prompts.
        excused: words that count nowhere.
    """
    return _counted(_material(samples, excused), least_texts, {}).candidates


def count_samples(samples: Sequence[Sample], least_share: float, excused: Collection[str] = ()) -> Counts:
    """The candidates of texts with their prompts; see `count_candidates`."""
    return _counted(_material(samples, excused), _least_texts(len(samples), least_share), {})


def _material(samples: Sequence[Sample], excused: Collection[str]) -> Material:
    documents = [Document(sample.text, sample.prompt.content) for sample in samples]
    prompt_ids = [sample.prompt.id if sample.prompt.content.strip() else "" for sample in samples]
    return Material.of(documents, excused, prompt_ids)


def _least_texts(texts: int, least_share: float) -> int:
    return max(LEAST_TEXTS, math.ceil(least_share * texts))


def _counted(material: Material, least_texts: int, left_out: Mapping[str, int]) -> Counts:
    """All in one part."""
    pool = Pool.of(frequent_entries(material, least_texts))
    counts = EntryCounts.of(material, pool, np.empty(0, np.uint64))
    found = _candidates(pool, counts, least_texts, material.words, np.empty(0, np.int64))
    sizes = material.texts, len(material.prompts.words), material.words, material.characters
    return Counts(found, *sizes, left_out, _names(pool, counts, found))


def _surveyed(parts: Sequence[Part], least_share: float, for_each: _ForEach) -> tuple[list[Survey], set[Entry]]:
    """What each part is like, and what is frequent in any."""
    surveys, frequent = [], set()
    for each in for_each(partial(survey, least_share=least_share), parts):
        frequent.update(each.frequent)
        surveys.append(each._replace(frequent=[]))
    return surveys, frequent


def _parts(shards: Sequence[Shard], texts: Sequence[int], least_share: float) -> list[list[Shard]]:
    """Parts that have texts enough to say what is frequent in them, of one shard where that has; or one part of all."""
    parts: list[list[Shard]] = [[]]
    held = 0
    for shard, more in zip(shards, texts, strict=True):
        if least_texts_in(held, least_share) >= LEAST_TEXTS:
            parts.append([])
            held = 0
        parts[-1].append(shard)
        held += more
    if len(parts) > 1 and least_texts_in(held, least_share) < LEAST_TEXTS:
        rest = parts.pop()
        parts[-1] += rest
    return parts


def _counted_in_parts(
    parts: Sequence[Part],
    surveys: Sequence[Survey],
    pool: Pool,
    least_share: float,
    excused: Collection[str],
    for_each: _ForEach,
) -> Counts:
    """The entries of a pool, counted in all parts."""
    hashes = np.concatenate([each.prompt_hashes for each in surveys])
    ordered = np.sort(hashes)
    shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    counts = reduce(EntryCounts.plus, for_each(partial(count, excused=excused, pool=pool, shared=shared), parts))
    places = places_in(shared, hashes)
    words_of = np.zeros(len(shared), np.int64)
    np.add.at(words_of, places[places >= 0], np.concatenate([each.prompt_words for each in surveys])[places >= 0])
    texts, words, characters = (sum(sizes) for sizes in zip(*(each[:3] for each in surveys), strict=True))
    prompts = len(np.unique(hashes)) + sum(each.unprompted for each in surveys)
    found = _candidates(pool, counts, _least_texts(texts, least_share), words, words_of)
    left_out = sum((Counter(each.left_out) for each in surveys), Counter[str]())
    return Counts(found, texts, prompts, words, characters, left_out, _names(pool, counts, found))


@contextmanager
def _workers(processes: int) -> Iterator[_ForEach]:
    if processes == 1:
        yield map
        return
    # What reads Parquet may hang in a process that was forked.
    executor = ProcessPoolExecutor(processes, get_context("spawn"))
    try:
        yield executor.map
    finally:
        executor.shutdown(cancel_futures=True)


def _candidates(pool: Pool, counts: EntryCounts, least_texts: int, words: int, words_of: Numbers) -> list[Candidate]:
    """What of a pool stands in texts enough and of two prompts; `words_of` each prompt that parts share."""

    def judged(entries: Iterable[Entry], sums: Sums, kept: Numbers) -> Iterator[Candidate]:
        most, prompts = _most(sums, words_of), _prompts(sums, len(words_of))
        for entry, at in zip(entries, kept.tolist(), strict=True):
            occurrences, prompt = int(sums.occurrences[at]), divmod(int(most[at]), COUNT)
            if occurrences > prompt[0]:
                elsewhere = Tally(occurrences - prompt[0], words - prompt[1])
                yield Candidate(entry, Tally(occurrences, words), elsewhere, int(sums.texts[at]), int(prompts[at]))

    kept = np.flatnonzero(counts.singles.texts >= least_texts)
    found = list(judged(((pool.singles[at],) for at in kept.tolist()), counts.singles, kept))
    for entries, sums, kept in _maximal(pool, counts.phrases, least_texts):
        found += judged(entries, sums, kept)
    return sorted(found)


def _maximal(pool: Pool, phrases: Sequence[Sums], least_texts: int) -> Iterator[tuple[list[Entry], Sums, Numbers]]:
    """Of each length the phrases that stand in texts enough and mean something by themselves, and their numbers.

    None that is one word longer has almost all their occurrences.
    """
    lengths = list(pool.phrases())[1:]
    for (strings, sums), (longer, longer_sums) in pairwise(zip(lengths, phrases, strict=True)):
        kept = sums.texts >= least_texts
        around = np.flatnonzero(longer_sums.texts >= least_texts)
        for part in divmod(longer.keys[around], max(len(strings.keys), 1)):
            kept[part[longer_sums.occurrences[around] >= ALMOST_ALL * sums.occurrences[part]]] = False
        numbers = np.flatnonzero(kept)
        yield [pool.entry(at, strings.length) for at in strings.first()[numbers].tolist()], sums, numbers


def _most(sums: Sums, words_of: Numbers) -> Numbers:
    """Of each entry the occurrences, times `COUNT`, and the words of the prompt in whose texts it stands most often."""
    most = sums.most.copy()
    entries, prompts = divmod(sums.shared.keys, max(len(words_of), 1))
    np.maximum.at(most, entries, sums.shared.counts * COUNT + words_of[prompts])
    return most


def _prompts(sums: Sums, shared: int) -> Numbers:
    """Of each entry the prompts in whose texts it stands, of which parts share so many."""
    return sums.prompts + np.bincount(sums.shared.keys // max(shared, 1), minlength=len(sums.prompts))


def _names(pool: Pool, counts: EntryCounts, found: Iterable[Candidate]) -> frozenset[str]:
    """Of the words of candidates those that nearly always have a capital; not "I", nor "I'm"."""
    said = {word.removesuffix("'s") for one in found for word in one.entry}
    within, capital = counts.capitals
    numbers = np.flatnonzero((capital >= LEAST_CAPITALS) & (capital >= CAPITAL_SHARE * within))
    names = said.intersection(pool.singles[number] for number in numbers.tolist())
    return frozenset(name for name in names if name.partition("'")[0] not in FUNCTION_WORDS)
