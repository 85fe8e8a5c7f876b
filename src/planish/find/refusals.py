"""Refusals: a text that declines to do what was asked, instead of doing it."""

import hashlib
from collections.abc import Sequence

import re2

from planish.find.presence import presence_scores
from planish.records.score import Failure, Sample, Score
from planish.text.span import Span
from planish.text.words import fold

# A refusal says so at once: in the first sentences, not in the middle of a story.
OPENING_CHARS = 200
_UNABLE = r"i ?(?:can(?:'t|not| not)|couldn't|won't|will not|(?:am|'m) (?:unable|not able) to)"
_UNWILLING = (
    r"i ?(?:do(?:n't| not) feel comfortable|(?:am|'m) not comfortable|(?:must|have to) (?:respectfully )?decline)"
)
_LACKING = r"i ?(?:do(?:n't| not) (?:have|provide|possess)|(?:am|'m) not)"
_SORRY = r"i(?: am|'m)? ?(?:very |so |really |truly )?(?:sorry|apologi[sz]e|afraid)(?:,|\.|;)? ?(?:but )?(?:that )?"
_MACHINE = r"an? (?:ai|artificial intelligence|(?:large )?language model|digital assistant)\b[^.!?\n]{0,80}?"
_TASK = r"(?:\w+ ){0,3}(?:request|content|story|text|material|instructions|response|advice|scene|chapter|essay)s?\b"
# In folded text. A narrator who "can't help but smile", or who "can't write", declines nothing that was asked.
PATTERNS = (
    rf"{_SORRY}(?:{_UNABLE}|{_UNWILLING}|{_LACKING})\b",
    rf"{_UNABLE} (?:in good conscience |ethically |directly )?(?:assist|provide|fulfil+|comply|generate|browse)\b",
    rf"{_UNABLE} (?:help (?:you )?with (?:this|that|your)\b|(?:write|create|continue|produce|complete) {_TASK})",
    rf"{_UNWILLING}\b",
    rf"(?:as|i(?: am|'m)(?: just| only)?) {_MACHINE}\b(?:{_UNABLE}|{_UNWILLING}|{_LACKING})\b",
)


class Refusals:
    """Whether a text opens with an apology for not doing, or a statement that it cannot or will not do, what was asked.

    `value` is 1 or 0. What follows a quotation mark is somebody's speech and no refusal.
    """

    name = "refusals"

    def __init__(self) -> None:
        self.version = hashlib.blake2b("\n".join(PATTERNS).encode(), digest_size=4).hexdigest()
        # At the start of the text or of a sentence, or behind a word or two such as "Unfortunately," or "No,".
        self._pattern = re2.compile(rf"(?:^|[.!?\n,] ?)[*_#> ]*({'|'.join(PATTERNS)})")

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """1 for a refusal, 0 for anything else."""
        return presence_scores(self, samples)

    def locate(self, texts: Sequence[str]) -> list[list[Span]]:
        """The words that refuse; at most one span in a text."""
        matches = [self._pattern.search(fold(text[:OPENING_CHARS])) for text in texts]
        return [[Span(match.start(1), match.end(1), self.name)] if match else [] for match in matches]
