"""What must not be written."""

from typing import Literal, Self

from pydantic import Field, model_validator

from planish.records.record import Record
from planish.text.pattern import Pattern

# Which kinds of rule an option says anything about.
KINDS_OF_OPTION = {
    "case_sensitive": ("phrase", "regex"),
    "inflections": ("phrase", "ngram"),
    "whole_words": ("phrase",),
}


class Overuse(Record):
    """How much more often a model writes something than people do.

    `texts` is its document frequency. `log_odds` is the natural logarithm of the odds ratio against people, `z` its
    distance from the least ratio that counts, in standard errors; `q` is the false-discovery rate at which it is
    just listed. `g2` is Dunning's G²: how far chance is from explaining the difference.
    """

    count: int
    texts: int
    rate_per_1k_words: float
    human_rate_per_1k_words: float
    log_odds: float
    z: float
    q: float
    g2: float | None = None


class BanRule(Record):
    """One thing not to write, and why.

    A `phrase` is found as it stands, in any case, as whole words. An `ngram` is a sequence of content words in one
    sentence, whatever function words stand between them. A `regex` is in RE2 syntax, in any case, within one sentence.

    A hit survives with probability 1 - `strength`. A rule that is `case_sensitive` is found in its own case only, one
    with `inflections` in every inflected form of its words (English), and one without `whole_words` inside words too,
    with the white space around it.

    Raises:
        ValueError: the kind does not know an option that differs from its default.
    """

    text: str
    kind: Literal["phrase", "ngram", "regex"] = "phrase"
    strength: float = Field(default=1, gt=0, le=1)
    case_sensitive: bool = False
    inflections: bool = False
    whole_words: bool = True
    reason: str = ""
    overuse: Overuse | None = None

    @model_validator(mode="after")
    def _knows_its_options(self) -> Self:
        for option, kinds in KINDS_OF_OPTION.items():
            if option in self.options and self.kind not in kinds:
                raise ValueError(f"{option} is for a {' or a '.join(kinds)}, not for a rule of kind {self.kind}")
        return self

    @property
    def options(self) -> dict[str, float | bool]:
        """The strength and the options that differ from their defaults."""
        fields = ("strength", *KINDS_OF_OPTION)
        return {
            name: value for name in fields if (value := getattr(self, name)) != type(self).model_fields[name].default
        }

    @property
    def pattern(self) -> Pattern:
        """What it looks for."""
        return Pattern(self.text, self.kind, self.case_sensitive, self.inflections, self.whole_words)
