"""Slop profiling as the prototype does it, written from its description: NLTK tokens, counters, one text at a time.

NLTK's sentence splitter, which needs data of its own, is left out, and so is all that reads or writes files.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nltk.tokenize import NLTKWordTokenizer
from wordfreq import word_frequency

from planish.text.words import FUNCTION_WORDS

SHORTEST_WORD, SHORTEST_TOKEN = 4, 3
MOST_NGRAMS, REPEATED_ROWS = 5000, 50
PHRASES, CONTENT_WORDS = 600, 3
PER_CHARACTERS = 100_000
NEVER = 1e-12

Ngram = tuple[str, ...]
Row = tuple[Ngram, float]
tokenize = NLTKWordTokenizer().tokenize


def profile(texts: Sequence[str], human: Mapping[Ngram, float]) -> dict[str, Any]:
    """Overused words and n-grams, frequent phrases, and how varied and how repetitive the texts are.

    Args:
        texts: by one model.
        human: occurrences of n-grams without stop words, for so many characters of human text.
    """
    tables = overused_ngrams(texts, human)
    repeated = {ngram for table in tables for ngram, _ in table[:REPEATED_ROWS]}
    return {
        "words": overused_words(texts),
        "ngrams": tables,
        "phrases": phrases(texts),
        "variety": type_token_ratio(texts),
        "repetition": repetition(texts, repeated),
    }


def normalised(text: str) -> str:
    """Letters and marks in lower case, one space for all else."""
    kept = [
        char.lower() if unicodedata.category(char)[0] in "LM" else " " for char in unicodedata.normalize("NFKC", text)
    ]
    return " ".join("".join(kept).split())


def overused_words(texts: Sequence[str]) -> list[tuple[str, float]]:
    """Words by their frequency against that of wordfreq."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word in normalised(text).split() if len(word) >= SHORTEST_WORD)
    kept = {word: count for word, count in counts.items() if word not in FUNCTION_WORDS}
    total = sum(kept.values())
    ratios = [(word, count / total / max(word_frequency(word, "en"), NEVER)) for word, count in kept.items()]
    return sorted(ratios, key=lambda row: -row[1])


def content_tokens(text: str) -> list[str]:
    """The tokens of a text without stop words and short ones."""
    tokens = [token.lower() for token in tokenize(normalised(text)) if token.isalpha()]
    return [token for token in tokens if token not in FUNCTION_WORDS and len(token) >= SHORTEST_TOKEN]


def ngrams(tokens: Sequence[str], length: int) -> Iterator[Ngram]:
    """All n-grams, overlapping."""
    return zip(*(tokens[start:] for start in range(length)), strict=False)


def overused_ngrams(texts: Sequence[str], human: Mapping[Ngram, float]) -> list[list[Row]]:
    """Bigrams, then trigrams: those that people write by the ratio to theirs, and the others by their frequency."""
    counts: dict[int, Counter[Ngram]] = {2: Counter(), 3: Counter()}
    characters = sum(map(len, texts))
    for text in texts:
        tokens = content_tokens(text)
        for length, counter in counts.items():
            counter.update(ngrams(tokens, length))
    tables = []
    for counter in counts.values():
        rates = [(ngram, PER_CHARACTERS * count / characters) for ngram, count in counter.most_common(MOST_NGRAMS)]
        known = [(ngram, rate / human[ngram]) for ngram, rate in rates if ngram in human]
        unknown = [row for row in rates if row[0] not in human]
        tables += [sorted(rows, key=lambda row: -row[1]) for rows in (known, unknown)]
    return tables


def phrases(texts: Sequence[str]) -> list[tuple[str, int]]:
    """What stands in the texts from the first to the last word of a frequent trigram of content words."""
    counts: Counter[Ngram] = Counter()
    for text in texts:
        tokens = [token.lower() for token in tokenize(text) if token.isalpha()]
        counts.update(ngrams([token for token in tokens if token not in FUNCTION_WORDS], CONTENT_WORDS))
    frequent = {ngram for ngram, _ in counts.most_common(max(1000, 5 * PHRASES))}
    said = Counter(phrase for text in texts for phrase in surfaces(text, frequent))
    return said.most_common(max(3 * PHRASES, 100))


def surfaces(text: str, frequent: set[Ngram]) -> Iterator[str]:
    """The pieces of a text that are frequent trigrams but for the stop words and marks in them."""
    content: list[tuple[str, int, int]] = []
    at = 0
    for token in tokenize(text):
        start = text.find(token, at)
        if start >= 0:
            at = start + len(token)
            if token.isalpha() and token.lower() not in FUNCTION_WORDS:
                content.append((token.lower(), start, at))
    for window in zip(*(content[start:] for start in range(CONTENT_WORDS)), strict=False):
        if tuple(word for word, _, _ in window) in frequent:
            phrase = text[window[0][1] : window[-1][2]]
            if not any(mark in phrase[:-1] for mark in ".?!"):
                yield phrase


def type_token_ratio(texts: Sequence[str]) -> float:
    """Different tokens out of all."""
    tokens = [token for text in texts for token in tokenize(normalised(text)) if len(token) >= SHORTEST_TOKEN]
    return len(set(tokens)) / len(tokens)


def repetition(texts: Sequence[str], repeated: set[Ngram]) -> float:
    """Occurrences of some n-grams for so many characters."""
    found = 0
    for text in texts:
        tokens = content_tokens(text)
        found += sum(ngram in repeated for length in (2, 3) for ngram in ngrams(tokens, length))
    return PER_CHARACTERS * found / sum(map(len, texts))
