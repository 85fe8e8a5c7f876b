"""What a text is to say again, and what not."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Self

from planish.find.instructions.constraint import Constraint, Counting, Phrase
from planish.find.instructions.demands import BEGINNING, LONE_LINES, OPENERS, Demands, at_least, said
from planish.find.instructions.edits import inner_words, replaced, with_sentence, without, word_spans
from planish.find.instructions.parts import sentence_spans, sentences
from planish.text.span import Span
from planish.text.words import fold, words

# A longer request is no sentence to be said again.
LONGEST_REQUEST_CHARS = 200


class RepeatsRequest(Constraint):
    """The text begins with the request, in its case and with its marks, white space as one space; more follows."""

    name, group = "repeats_request", "repetition"
    claims = frozenset({BEGINNING})
    wordings = (
        'Before you reply, repeat this word for word: "{request}"',
        'Say "{request}" again first, without a change, and then give your reply.',
    )
    request: Phrase

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self | None:
        """The last line of what the prompt says; none where that is long or has no words."""
        request = content.strip().rpartition("\n")[2].strip()
        return cls(request=request) if words(request) and len(request) <= LONGEST_REQUEST_CHARS else None

    def _is_met(self, text: str) -> bool:
        said_again, request = " ".join(text.split()), " ".join(self.request.split())
        return said_again.startswith(request) and bool(words(said_again[len(request) :]))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        count = len(words(self.request))
        span = draws.choice(word_spans(text)[:count])
        yield without(text, span)
        yield replaced(text, span, f"{span.rule} {span.rule}")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield f"{self.request}\n\n{text.lstrip()}"

    def demands(self) -> Demands:
        """See `Constraint`."""
        lengths = [len(words(sentence)) for sentence in sentences(self.request)]
        sizes = {"longest sentence": at_least(max(lengths)), "shortest sentence": (1, min(lengths))}
        return {**said(self.request, in_its_case=True), **sizes, LONE_LINES: at_least(1)}


class NoLongWordTwice(Counting):
    """No word of so many characters or more is used twice, in any case; "house" and "houses" are two words."""

    name, group, counts = "no_long_word_twice", "repetition", (5, 6, 7)
    claims = frozenset({"saying something again"})
    wordings = (
        "Do not use any word of {count:character} or more twice.",
        "Every word that has {count:character} or more may come up once at most.",
    )

    def _is_met(self, text: str) -> bool:
        long = [word for word in words(text) if len(word) >= self.count]
        return len(long) > 1 and len(long) == len({*long})

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        long = [span for span in word_spans(text) if len(span.rule) >= self.count]
        for span in inner_words(text, draws):
            other = draws.choice(long)
            if fold(other.rule) != fold(span.rule):
                yield replaced(text, span, fold(other.rule))
        yield with_sentence(text, f"{draws.choice(long).rule.capitalize()}.")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        seen: Counter[str] = Counter()
        again: list[Span] = []
        for span in word_spans(text):
            seen[fold(span.rule)] += 1
            if len(span.rule) >= self.count and seen[fold(span.rule)] > 1:
                again.append(span)
        if len(again) <= 3:
            for span in reversed(again):
                text = without(text, span)
            yield text

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"letters a repeated word": (1, self.count - 1)}


class SentencesBeginDifferently(Constraint):
    """Of at least four sentences no two begin with the same word, in any case."""

    name, group = "sentences_begin_differently", "repetition"
    wordings = (
        "Write four sentences or more, and begin each with a word that begins no other.",
        "No two sentences may begin with the same word; there must be at least four of them.",
    )

    def _is_met(self, text: str) -> bool:
        openers = [words(sentence)[0] for sentence in sentences(text)]
        return len(openers) > 3 and len(openers) == len({*openers})

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        spans = sentence_spans(text)
        pairs = list(pairwise(spans))
        for before, after in draws.sample(pairs, min(len(pairs), 8)):
            opener = words(text[before.start : before.end])[0].capitalize()
            yield f"{text[: after.start]}{opener}, {text[after.start :]}"

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"sentences": at_least(4)}


class EchoedWord(Constraint):
    """Every sentence but the first begins with the last word of the one before, in any case, in three or more."""

    name, group = "sentences_chained", "repetition"
    claims = frozenset({OPENERS})
    wordings = (
        "Begin each sentence with the last word of the sentence before it; write three or more.",
        "Chain three sentences or more: the word that ends one has to begin the next.",
    )

    def _is_met(self, text: str) -> bool:
        own = [words(sentence) for sentence in sentences(text)]
        return len(own) > 2 and all(before[-1] == after[0] for before, after in pairwise(own))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        after = draws.choice(sentence_spans(text)[1:])
        yield f"{text[: after.start]}So {text[after.start :]}"

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"sentences": at_least(3)}


KINDS: tuple[type[Constraint], ...] = (RepeatsRequest, NoLongWordTwice, SentencesBeginDifferently, EchoedWord)
