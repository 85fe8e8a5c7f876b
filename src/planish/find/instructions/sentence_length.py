"""How long its sentences are to be."""

import random
from collections.abc import Iterator
from itertools import pairwise

from planish.find.instructions.constraint import Constraint, Counting
from planish.find.instructions.demands import PROSE_ONLY, Demands, at_least
from planish.find.instructions.parts import sentence_spans, sentences
from planish.find.instructions.units import WORDS
from planish.text.words import words

# The greatest part of what a text should have that is added to it: more is no small change.
_MOST_ADDED = 0.5


class ShortSentences(Counting):
    """No sentence has more than so many words."""

    name, group, counts = "longest_sentence_at_most", "length", (8, 10, 12, 15)
    wordings = (
        "Let no sentence have more than {count:word}.",
        "Keep every sentence to {count:word} or fewer.",
    )

    def _is_met(self, text: str) -> bool:
        return all(len(words(sentence)) <= self.count for sentence in sentences(text))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        """Two neighbours made one, or the last one gone on with."""
        spans = sentence_spans(text)
        pairs = list(pairwise(spans))
        for before, after in draws.sample(pairs, min(len(pairs), 8)):
            yield f"{text[: before.end].rstrip('.!?…')}, and {text[after.start :]}"
        yield f"{text.rstrip().rstrip('.!?…')}{', and then again' * self.count}."

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"longest sentence": (1, self.count)}


class LongSentences(Counting):
    """Every sentence has at least so many words."""

    name, group, counts = "shortest_sentence_at_least", "length", (6, 8, 10)
    wordings = (
        "Let every sentence have at least {count:word}.",
        "No sentence may be shorter than {count:word}.",
    )

    def _is_met(self, text: str) -> bool:
        return all(len(words(sentence)) >= self.count for sentence in sentences(text))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        """One sentence cut short, or a short one more."""
        spans = sentence_spans(text)
        for span in draws.sample(spans, min(len(spans), 8)):
            cut = WORDS.resized(text[span.start : span.end], self.count - 1)
            yield text[: span.start] + cut + text[span.end :]

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        """The short ones left out."""
        kept = [sentence for sentence in sentences(text) if len(words(sentence)) >= self.count]
        if len(kept) > len(sentences(text)) / 2:
            yield " ".join(kept)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"shortest sentence": at_least(self.count), **PROSE_ONLY}


KINDS: tuple[type[Constraint], ...] = (
    ShortSentences,
    LongSentences,
)
