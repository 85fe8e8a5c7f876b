"""Which letters are to be capitals."""

import random
import re
from collections.abc import Callable, Iterator, Sequence

from planish.find.instructions.constraint import Constraint, Counting
from planish.find.instructions.demands import NONE, PROSE_ONLY, Demands, at_least
from planish.find.instructions.edits import inner_words, word_spans
from planish.find.instructions.parts import paragraphs, sentence_spans
from planish.text.span import Span
from planish.text.words import WORD


def _has_small(text: str) -> bool:
    return any(map(str.islower, text))


def _has_capital(text: str) -> bool:
    return any(map(str.isupper, text))


def _is_titled(word: str) -> bool:
    """Whether the first letter is the only capital, or the word begins with a digit; parts of the word are free."""
    parts = re.split("['’-]", word)
    return not parts[0][0].islower() and not any(map(str.isupper, "".join(part[1:] for part in parts)))


def _capital_words(text: str) -> list[Span]:
    return [span for span in word_spans(text) if span.rule.isupper() and sum(map(str.isalpha, span.rule)) > 1]


def _with_first_capital(sentence: str) -> str:
    return WORD.sub(lambda word: word.group().capitalize(), sentence, count=1)


def _starts_only(sentence: str) -> bool:
    """Whether no letter but the first is a capital, and that is one if it can be."""
    first, *others = [char for char in sentence if char.isalpha()] or [""]
    return not first.islower() and not any(map(str.isupper, others))


def _with_words(text: str, spans: Sequence[Span], change: Callable[[str], str]) -> str:
    """The text with some words changed."""
    parts, end = [], 0
    for span in spans:
        parts += [text[end : span.start], change(text[span.start : span.end])]
        end = span.end
    return "".join([*parts, text[end:]])


def _changed(text: str, draws: random.Random, change: Callable[[str], str]) -> Iterator[str]:
    """The text with one word changed, an inner one if that will do."""
    for span in [*inner_words(text, draws), *word_spans(text)]:
        if change(span.rule) != span.rule:
            yield _with_words(text, [span], change)


class AllLowercase(Constraint):
    """No capital letter, and at least one small one."""

    name, group = "all_lowercase", "case"
    wordings = ("Write everything in lower case.", "Do not use a single capital letter.", "Keep to small letters only.")

    def _is_met(self, text: str) -> bool:
        return _has_small(text) and not _has_capital(text)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from _changed(text, draws, str.capitalize)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield text.lower()

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"capital letters": NONE, "small letters": at_least(1)}


class AllUppercase(Constraint):
    """No small letter, and at least one capital."""

    name, group = "all_uppercase", "case"
    claims = frozenset({"words in capitals"})
    wordings = ("Write everything in capital letters.", "Do not use a single small letter.", "ALL CAPITALS, PLEASE.")

    def _is_met(self, text: str) -> bool:
        return _has_capital(text) and not _has_small(text)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from _changed(text, draws, str.lower)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield text.upper()

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"capital letters": at_least(1), "small letters": NONE}


class TitleCase(Constraint):
    """Every word begins with a capital and goes on in small letters; numbers and parts behind - or ' are free."""

    name, group = "title_case", "case"
    wordings = (
        'Begin every word with a capital letter, even "and" and "of", and go on in small ones.',
        "Write Every Single Word Like This: A Capital First, Then Small Letters.",
    )

    def _is_met(self, text: str) -> bool:
        return _has_capital(text) and all(_is_titled(span.rule) for span in word_spans(text))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from _changed(text, draws, str.lower)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield _with_words(text, word_spans(text), str.capitalize)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {
            "capital letters": at_least(1),
            "small letters": at_least(1),
            "capital words": NONE,
            "words in small letters": NONE,
        }


class CapitalWords(Counting):
    """At least so many words of two letters or more are in capitals from end to end."""

    name, group, counts = "capital_words_at_least", "case", (2, 3, 4)
    claims = frozenset({"words in capitals"})
    wordings = (
        "Write {count:word} or more in capitals from end to end, such as THIS.",
        "Put at least {count:word} into full capitals, like LOUD; single letters do not count.",
    )

    def _is_met(self, text: str) -> bool:
        return len(_capital_words(text)) >= self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield _with_words(text, _capital_words(text)[self.count - 1 :], str.lower)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        others = [span for span in word_spans(text) if len(span.rule) > 3 and span.rule.isalpha()]
        missing = self.count - len(_capital_words(text))
        yield _with_words(text, sorted(draws.sample(others, min(missing, len(others)))), str.upper)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"capital words": at_least(self.count), "capital letters": at_least(2), "words": at_least(self.count)}


class ExactlyCapitalWords(CapitalWords):
    """So many words of two letters or more, not more and not fewer, are in capitals from end to end."""

    name, counts = "exactly_capital_words", (1, 2, 3)
    wordings = (
        "Write exactly {count:word} in capitals from end to end; single letters do not count.",
        "Put {count:word} into full capitals, like LOUD, and no others; single letters do not count.",
    )

    def _is_met(self, text: str) -> bool:
        return len(_capital_words(text)) == self.count

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        fewer = _with_words(text, [draws.choice(_capital_words(text))], str.lower)
        changes = [iter([fewer]), _changed(text, draws, str.upper)]
        draws.shuffle(changes)
        for change in changes:
            yield from change

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        extra = _capital_words(text)[self.count :]
        if extra:
            yield _with_words(text, extra, str.lower)
        else:
            yield from super()._mends(text, draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {**super().demands(), "capital words": (self.count, self.count)}


class CapitalsOnlyBeginSentences(Constraint):
    """Every sentence begins with a capital letter or with none at all, and there is no other capital in it."""

    name, group = "capitals_only_begin_sentences", "case"
    wordings = (
        'Use a capital only for the first letter of a sentence, not for names and not for "I".',
        "Inside a sentence everything is to be in lower case, names too; only its first letter is a capital.",
    )

    def _is_met(self, text: str) -> bool:
        spans = sentence_spans(text)
        return all(_starts_only(text[span.start : span.end]) for span in spans) and _has_capital(text)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from _changed(text, draws, str.capitalize)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        lowered = _with_words(text, word_spans(text), str.lower)
        yield _with_words(lowered, sentence_spans(lowered), _with_first_capital)

    def demands(self) -> Demands:
        """See `Constraint`."""
        letters = {"capital letters": at_least(1), "small letters": at_least(1), "inner capitals": NONE}
        return {**letters, "capital words": NONE, **PROSE_ONLY}


class ParagraphsOpenInCapitals(Constraint):
    """The first word of every paragraph is in capitals from end to end, and not the whole text is."""

    name, group = "paragraphs_open_in_capitals", "case"
    claims = frozenset({"words in capitals"})
    wordings = (
        "Write the first word of every paragraph in full capitals, but not the whole text.",
        "OPEN every paragraph with a word in capitals, without shouting the rest.",
    )

    def _is_met(self, text: str) -> bool:
        firsts = (WORD.search(part) for part in paragraphs(text))
        return all(first is not None and first.group().isupper() for first in firsts) and _has_small(text)

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        parts = paragraphs(text)
        number = draws.randrange(len(parts))
        parts[number] = _with_words(parts[number], word_spans(parts[number])[:1], str.capitalize)
        yield "\n\n".join(parts)
        yield _with_words(text, word_spans(text)[:1], str.lower)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield "\n\n".join(_with_words(part, word_spans(part)[:1], str.upper) for part in paragraphs(text))

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {
            "capital letters": at_least(1),
            "small letters": at_least(1),
            "capital words": at_least(1),
            **PROSE_ONLY,
        }


KINDS: tuple[type[Constraint], ...] = (
    AllLowercase,
    AllUppercase,
    TitleCase,
    CapitalWords,
    ExactlyCapitalWords,
    CapitalsOnlyBeginSentences,
    ParagraphsOpenInCapitals,
)
