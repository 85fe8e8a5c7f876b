"""What must not be written."""

from typing import Literal

from planish.records.record import Record


class Overuse(Record):
    """How much more often a model writes something than people do.

    `texts` is its document frequency. `log_odds` is the natural logarithm of the odds ratio against people, `z` its
    distance from the least ratio that counts, in standard errors; `q` is the false-discovery rate at which it is
    just listed.
    """

    count: int
    texts: int
    rate_per_1k_words: float
    human_rate_per_1k_words: float
    log_odds: float
    z: float
    q: float


class BanRule(Record):
    """One thing not to write, and why.

    A `phrase` is found as it stands, in any case, as whole words. An `ngram` is a sequence of content words in one
    sentence, whatever function words stand between them. A `regex` is in RE2 syntax, in any case, within one sentence.
    """

    text: str
    kind: Literal["phrase", "ngram", "regex"] = "phrase"
    reason: str = ""
    overuse: Overuse | None = None
