"""How a text is to begin and to end."""

import random
import re
from collections.abc import Iterator
from typing import Literal, Self

from planish.find.instructions.constraint import Constraint, Phrase
from planish.find.instructions.demands import BEGINNING, END, LONE_LINES, NONE, Demands, at_least, character, said
from planish.find.instructions.edits import replaced, with_sentence, without, word_spans
from planish.find.instructions.parts import sentence_spans, sentences
from planish.text.sentences import CLOSERS
from planish.text.words import fold, is_word, words

_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»"}


class BeginsWith(Constraint):
    """The first characters, in any case; what follows does not go on with the last word."""

    name, group = "begins_with", "start and end"
    claims = frozenset({BEGINNING})
    wordings = ('Begin with exactly these words: "{phrase}"', 'The first thing you write has to be "{phrase}"')
    phrase: Phrase

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        openings = ("Let me tell you", "First of all", "Once, long ago", "As far as we know", "Here is what I think")
        return cls(phrase=draws.choice(openings))

    def _is_met(self, text: str) -> bool:
        text, phrase = fold(text.lstrip()), fold(self.phrase)
        after = text[len(phrase) : len(phrase) + 1]
        return text.startswith(phrase) and not (after and is_word(after) and is_word(phrase[-1]))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        first, *_ = word_spans(text)
        yield replaced(text, first, f"well, {first.rule}")
        yield without(text, first)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield f"{self.phrase}: {text.lstrip()}"

    def demands(self) -> Demands:
        """See `Constraint`."""
        return said(self.phrase)


class EndsWith(Constraint):
    """The last characters, in any case; nothing may follow, not even a mark that is not in it."""

    name, group = "ends_with", "start and end"
    claims = frozenset({END})
    wordings = (
        'End with exactly these words, and nothing behind them: "{phrase}"',
        'The last thing you write has to be "{phrase}", to the character.',
    )
    phrase: Phrase

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        endings = (
            "And that is that.",
            "More tomorrow.",
            "What would you do?",
            "The rest is up to you.",
            "Ask me again!",
        )
        return cls(phrase=draws.choice(endings))

    def _is_met(self, text: str) -> bool:
        text, phrase = fold(text.rstrip()), fold(self.phrase)
        before = text[: -len(phrase)][-1:]
        return text.endswith(phrase) and not (before and is_word(before) and is_word(phrase[0]))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        last = word_spans(text)[-1]
        yield without(text, last)
        yield with_sentence(text, "Truly.")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield with_sentence(text, self.phrase)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {**said(self.phrase), "shortest sentence": (1, len(words(self.phrase)))}


class EndsWithMark(Constraint):
    """The last character, apart from closing quotation marks and brackets."""

    name, group = "ends_with_mark", "start and end"
    claims = frozenset({END})
    wordings = (
        'Let your reply end with the mark "{mark}".',
        'The last character should be "{mark}"; only a closing quotation mark or bracket may follow it.',
    )
    mark: Literal["?", "!", "…"]

    @classmethod
    def draw(cls, draws: random.Random, content: str) -> Self:
        """See `Constraint`."""
        return cls(mark=draws.choice(("?", "!", "…")))

    def _is_met(self, text: str) -> bool:
        return text.rstrip().rstrip(CLOSERS).endswith(self.mark)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield self._ended(text, ".")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield self._ended(text, self.mark)

    def _ended(self, text: str, mark: str) -> str:
        text = text.rstrip()
        bare = text.rstrip(CLOSERS)
        return bare.rstrip(".!?…") + mark + text[len(bare) :]

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(self.mark): at_least(1)}


class FirstWordIsLast(Constraint):
    """The first word is also the last, in any case; there are at least three words."""

    name, group = "first_word_is_last", "start and end"
    claims = frozenset({BEGINNING, END})
    wordings = (
        "Begin and end with the same word, with something between.",
        "Your last word should be the one you started with.",
    )

    def _is_met(self, text: str) -> bool:
        own = words(text)
        return len(own) > 2 and own[0] == own[-1]

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield without(text, word_spans(text)[-1])
        yield with_sentence(text, "Truly.")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield with_sentence(text, f"{words(text)[0].capitalize()}.")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"words": at_least(3)}


class FirstSentenceIsLast(Constraint):
    """The last sentence says the first again, word for word in any case, with at least one sentence between."""

    name, group = "first_sentence_is_last", "start and end"
    claims = frozenset({BEGINNING, END, "saying something again"})
    wordings = (
        "Close with the very sentence you opened with, and write something between.",
        "Repeat your first sentence, word for word, as your last; something has to stand between.",
    )

    def _is_met(self, text: str) -> bool:
        own = sentences(text)
        return len(own) > 2 and words(own[0]) == words(own[-1])

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        last = sentence_spans(text)[-1]
        yield text[: last.start].rstrip()
        word = word_spans(text)[-1]
        yield without(text, word)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield with_sentence(text, sentences(text)[0])

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"sentences": at_least(3), LONE_LINES: NONE}


class QuotedWhole(Constraint):
    """One double quotation mark opens the text and its counterpart closes it."""

    name, group = "quoted_whole", "start and end"
    claims = frozenset({BEGINNING, END})
    wordings = (
        "Put double quotation marks around your whole reply.",
        "Your reply should open with a double quotation mark and close with one.",
    )

    def _is_met(self, text: str) -> bool:
        text = text.strip()
        return len(text) > 2 and _QUOTES.get(text[0]) == text[-1]

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield text.strip()[1:]
        yield text.strip()[:-1]

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield f'"{re.sub("[“”„]", "", text.strip())}"'

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character('"'): at_least(2)}


KINDS: tuple[type[Constraint], ...] = (
    BeginsWith,
    EndsWith,
    EndsWithMark,
    FirstWordIsLast,
    FirstSentenceIsLast,
    QuotedWhole,
)
