"""What is known of languages: how common their words are, and which of them a text is in."""

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from typing import NamedTuple

import msgpack  # type: ignore[import-untyped]
from wordfreq import get_frequency_dict, top_n_list, word_frequency
from wordfreq.util import data_path

from planish.errors import DataError, UsageError
from planish.text.words import FUNCTION_WORDS, WORD, is_alone, words

# The languages of which wordfreq has a list.
NAMES: Mapping[str, str] = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fil": "Filipino",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mk": "Macedonian",
    "ms": "Malay",
    "nb": "Norwegian",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sh": "Serbo-Croatian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sv": "Swedish",
    "ta": "Tamil",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
# Their words are strings of characters, and each character counts as a word here.
WITHOUT_SPACES = ("ja", "zh")
# The list is of parts of words.
OF_PARTS = ("ko",)
# The longest string of characters that is counted inside the listed words.
LONGEST_STRING = 3
# So many of the commonest words, or of the commonest characters, commit a text to nothing.
FUNCTION_WORDS_OF_A_LANGUAGE, FUNCTION_CHARACTERS = 100, 30
# A language is told by so many of its commonest words. They make up a quarter to two thirds of what is written in it.
COMMONEST = 200
LEAST_SHARE = 0.2
# So many words of a text tell its language.
TELLING_WORDS = 20_000


class Language(NamedTuple):
    """A language by its code, and why it was taken to be that."""

    code: str
    reason: str


def detect_language(texts: Iterable[str]) -> Language:
    """The language of which the commonest words make up the largest share of the texts.

    Raises:
        DataError: there is no word in the texts, or too few of them are common in any language that is known.
    """
    said = Counter(islice((word for text in texts for word in words(text)), TELLING_WORDS))
    if not said:
        raise DataError("there is no word from which to tell the language", "name it: --language en")
    shares = {code: _common_occurrences(said, code) / said.total() for code in sorted(NAMES)}
    code = max(shares, key=lambda code: shares[code])
    kind = "characters" if code in WITHOUT_SPACES else "words"
    common = "end in one of the" if code in OF_PARTS else "are among the"
    share = f"{100 * shares[code]:.0f} % of the {kind} {common} {COMMONEST} commonest of {NAMES[code]}"
    if shares[code] < LEAST_SHARE:
        raise DataError(f"the language cannot be told: only {share}", "name it: --language en, for example")
    return Language(code, f"language: {code}, as {share}")


def _common_occurrences(said: Mapping[str, int], language: str) -> int:
    """Mentions of the commonest words of a language; in Korean, words that end in one of the commonest parts."""
    common = commonest_words(language, COMMONEST)
    if language in OF_PARTS:
        return sum(count for word, count in said.items() if word.endswith(common))
    return sum(said.get(word, 0) for word in common)


def require_language(code: str) -> str:
    """The code itself.

    Raises:
        UsageError: nothing is known of such a language.
    """
    if code not in NAMES:
        raise UsageError(f"nothing is known of the language {code!r}", f"one of {', '.join(sorted(NAMES))}")
    return code


@cache
def function_words(language: str) -> frozenset[str]:
    """Words that commit a text to nothing: no word or phrase of these alone is anybody's tic.

    Of English they are listed by hand; of other languages they are the commonest words, or characters.
    """
    if language == "en":
        return FUNCTION_WORDS
    count = FUNCTION_CHARACTERS if language in WITHOUT_SPACES else FUNCTION_WORDS_OF_A_LANGUAGE
    return frozenset(commonest_words(language, count))


@cache
def commonest_words(language: str, count: int) -> tuple[str, ...]:
    """The commonest words of a language, the most frequent first; of one without spaces, characters."""
    if language in WITHOUT_SPACES:
        rates = _strings(language, "small", longest=1)
        listed: Iterable[str] = sorted(filter(is_alone, rates), key=lambda char: (-rates[char], char))
    else:
        # Numbers stand among them, as zeros, and single letters among parts. Of two forms of sigma only one is listed.
        listed = (
            word[:-1] + "ς" if word.endswith("σ") else word  # noqa: RUF001
            for word in top_n_list(language, 2 * count, "small")
            if WORD.fullmatch(word) and not word[0].isdigit() and not (language in OF_PARTS and word.isascii())
        )
    return tuple(islice(listed, count))


def listed_rate(entry: tuple[str, ...], language: str) -> float:
    """How often wordfreq says that people write a word, by running word; 0 for what it has not.

    Of languages without spaces: a character or a string of up to three, by running character, as far as they stand
    within listed words. Korean is listed in parts: a word is as frequent as the longest part that it begins with, which
    is the most that it can be.
    """
    if language in WITHOUT_SPACES:
        string = "".join(entry)
        return _strings(language).get(string.translate(_simplified()) if language == "zh" else string, 0.0)
    if len(entry) > 1:
        return 0.0
    if language in OF_PARTS:
        parts, (word,) = get_frequency_dict(language), entry
        return next((parts[word[:end]] for end in range(len(word), 0, -1) if word[:end] in parts), 0.0)
    return float(word_frequency(entry[0], language))


@cache
def _strings(language: str, wordlist: str = "best", longest: int = LONGEST_STRING) -> Mapping[str, float]:
    """How often each string of up to so many characters stands within the listed words, by running character."""
    rates: defaultdict[str, float] = defaultdict(float)
    characters = 0.0
    for listed, frequency in get_frequency_dict(language, wordlist).items():
        run = words(listed)
        characters += frequency * len(run)
        for length in range(1, longest + 1):
            for start in range(len(run) - length + 1):
                rates["".join(run[start : start + length])] += frequency
    return {string: rate / characters for string, rate in rates.items()}


@cache
def _simplified() -> Mapping[int, str | int]:
    """What the lists of Chinese have in place of a traditional character: wordfreq's own table."""
    with gzip.open(data_path("_chinese_mapping.msgpack.gz"), "rb") as file:
        table: Mapping[int, str | int] = msgpack.load(file, raw=False, strict_map_key=False)
    return table
