"""What a rule looks for."""

from typing import NamedTuple


class Pattern(NamedTuple):
    """A rule as the matchers see it; `BanRule` says what the fields mean."""

    text: str
    kind: str = "phrase"
    case_sensitive: bool = False
    inflections: bool = False
    whole_words: bool = True

    @property
    def name(self) -> str:
        """What spans call it: white space around whole words is no part of them."""
        return self.text.strip() if self.kind == "phrase" and self.whole_words else self.text
