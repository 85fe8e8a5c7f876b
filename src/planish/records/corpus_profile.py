"""What stands in a corpus: how often the lists and structures are met, how varied it is, and what it overuses."""

from planish.records.record import Record
from planish.records.rule import BanRule


class Rate(Record):
    """How often something stands in a corpus, with its 95 % interval over documents.

    `dispersion` is Gries' deviation of proportions, normalised: 0 where it is spread as evenly as the words are, up to
    1 where all of it stands in one document; 0 where it stands in none.
    """

    name: str
    hits: int
    texts: int
    rate_per_1k_words: float
    low: float
    high: float
    dispersion: float


class Figure(Record):
    """A mean over documents, or a share of all their words, with its 95 % interval over documents.

    `n` is how many documents told it: a short one tells nothing of its diversity.
    """

    name: str
    unit: str
    value: float
    low: float
    high: float
    n: int


class CorpusProfile(Record):
    """All that was counted in one corpus.

    `overused` are the rules found, first what adds most to the distance from people, and `overused_rates` their rates
    in the same order. `index` is the rate of the list whose hash is `index_version`. `left_out` says how many documents
    were not read, by reason.
    """

    source: str
    language: str
    texts: int
    words: int
    characters: int
    left_out: dict[str, int]
    overused: tuple[BanRule, ...]
    overused_rates: tuple[Rate, ...]
    index: Rate
    index_version: str
    structures: tuple[Rate, ...]
    figures: tuple[Figure, ...]
