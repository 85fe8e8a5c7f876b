"""Which marks a text is to have, and which not."""

import random
import re
from collections.abc import Iterator
from typing import ClassVar

from planish.find.instructions.constraint import Constraint
from planish.find.instructions.demands import END, NONE, PROSE_ONLY, Demands, at_least, character
from planish.find.instructions.edits import inner_words, replaced, with_ends, with_last_mark, with_mark, with_sentence
from planish.find.instructions.matches import ExactMatches, Matches, NoMatches
from planish.find.instructions.parts import sentences
from planish.text.sentences import CLOSERS
from planish.text.words import fold

_QUOTED = re.compile(r"[\"“”„«»][^\"“”„«»\n]*+[\"“”„«»]")
# A run of question marks behind something: "?" alone asks nothing, and an address may have one inside it.
_QUESTION = re.compile(rf"(?<=[^\s?\uff1f])[?\uff1f]++(?=[\s{re.escape(CLOSERS)}!]|\Z)")
_QUESTION_MARKS = re.compile(r"[?\uff1f]++")
# Contractions that can be written out without knowing what they stand for.
_WRITTEN_OUT = {
    "can't": "cannot",
    "won't": "will not",
    "shan't": "shall not",
    "let's": "let us",
    "o'clock": "on the hour",
}
_ENDINGS = {"n't": " not", "'re": " are", "'ll": " will", "'ve": " have", "'m": " am", "'d": " would", "'s": " is"}


class NoCommas(NoMatches):
    """No comma at all, not even inside a number; the commas of other scripts count too."""

    name, group = "no_commas", "punctuation"
    wordings = ("Do without commas.", "There must not be a single comma in your reply.", "Leave out every comma.")
    pattern = re.compile(r"[,،\uff0c、]")

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_mark(text, ",", draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(","): NONE}


class NoFullStops(NoMatches):
    """No full stop at all, not even inside a number or an abbreviation; "…" is none, "..." is three."""

    name, group = "no_full_stops", "punctuation"
    wordings = ("Do not use the full stop (.) anywhere.", "Write it without any full stop (.).")
    pattern = re.compile(r"[.。]")
    instead: ClassVar[str] = "!"

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_last_mark(text, ".", draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character("."): NONE}


class NoApostrophes(NoMatches):
    """No apostrophe: neither a contraction nor a possessive with one, nor a single quotation mark."""

    name, group = "no_apostrophes", "punctuation"
    wordings = (
        "Use no apostrophes: write contractions out in full.",
        "Keep your reply free of apostrophes and thus of contractions.",
    )
    pattern = re.compile(r"['’‘\u02bc\uff07]")

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        for long, short in ((" not", "n't"), (" is", "'s"), (" are", "'re"), (" will", "'ll"), (" have", "'ve")):
            if f"{long} " in text:
                yield text.replace(f"{long} ", f"{short} ", 1)
        yield from (replaced(text, span, f"{span.rule}'s") for span in inner_words(text, draws))
        yield with_sentence(text, "That's all.")

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        def written_out(match: re.Match[str]) -> str:
            word, folded = match.group(), fold(match.group())
            if whole := _WRITTEN_OUT.get(folded):
                return whole.capitalize() if word[:1].isupper() else whole
            ending = next((ending for ending in _ENDINGS if folded.endswith(ending)), "")
            return word[: -len(ending)] + _ENDINGS[ending] if ending else word

        text = re.sub(r"(?<!\w)\w++['’]\w++", written_out, text)
        yield from super()._mends(text, draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character("'"): NONE}


class Question(Constraint):
    """A question mark behind a word."""

    name, group = "question", "punctuation"
    wordings = ("Ask a question.", "Let your reply have a question in it.", "Somewhere in it, ask something.")

    def _is_met(self, text: str) -> bool:
        return _QUESTION.search(text) is not None

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield _QUESTION_MARKS.sub(".", text)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_last_mark(text, "?", draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character("?"): at_least(1)}


class ExactlyQuestions(ExactMatches):
    """So many questions: a run of question marks behind a word is one."""

    name, group, counts = "exactly_questions", "punctuation", (2, 3, 4)
    wordings = ("Ask exactly {count:question}.", "Your reply must have {count:question} in it, no more and no fewer.")
    pattern, instead = _QUESTION, "."

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_last_mark(text, "?", draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {"questions": (self.count, self.count), character("?"): at_least(self.count)}


class ExclamationMarks(Matches):
    """So many exclamation marks or more; several in a row are several."""

    name, group, counts = "exclamation_marks_at_least", "punctuation", (2, 3, 4, 5)
    wordings = ("Use {count:exclamation mark} or more.", "Let there be at least {count:exclamation mark}.")
    pattern, instead = re.compile(r"[!\uff01]"), "."

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_last_mark(text, "!", draws)
        yield with_sentence(text, "Look!")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character("!"): at_least(self.count)}


class EverySentenceExclaims(Constraint):
    """Every sentence ends with an exclamation mark."""

    name, group = "every_sentence_exclaims", "punctuation"
    claims = frozenset({END})
    wordings = ("End every sentence with an exclamation mark.", "No sentence may end without an exclamation mark.")

    def _is_met(self, text: str) -> bool:
        return all(sentence.rstrip(CLOSERS).endswith(("!", "\uff01")) for sentence in sentences(text))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_last_mark(text, ".", draws)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        yield with_ends(text, "!")

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character("!"): at_least(1), character("?"): NONE, **PROSE_ONLY}


class Dialogue(Constraint):
    """A word in double quotation marks, opened and closed on one line."""

    name, group = "dialogue", "punctuation"
    wordings = ("Let somebody speak, in quotation marks.", "Put some direct speech in double quotation marks into it.")

    def _is_met(self, text: str) -> bool:
        return any(re.search(r"\w", match.group()) for match in _QUOTED.finditer(text))

    def _breaks(self, text: str, draws: random.Random) -> Iterator[str]:
        yield re.sub('["“”„«»]', "", text)

    def _mends(self, text: str, draws: random.Random) -> Iterator[str]:
        for sentence in draws.sample(own := sentences(text), min(len(own), 4)):
            yield text.replace(sentence, f'"{sentence}"', 1)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character('"'): at_least(2)}


class Dashes(Matches):
    """So many long dashes (—) or more."""

    name, group, counts = "dashes_at_least", "punctuation", (2, 3, 4)
    wordings = ("Use the long dash (—) at least {count:time}.", "Put the long dash (—) into it {count} or more times.")
    pattern, instead = re.compile("—"), ","

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_mark(text, " —", draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character("—"): at_least(self.count)}


class Semicolons(Matches):
    """So many semicolons or more."""

    name, group, counts = "semicolons_at_least", "punctuation", (1, 2, 3)
    wordings = ("Use {count:semicolon} or more.", "Work at least {count:semicolon} into it.")
    pattern, instead = re.compile(r"[;\uff1b]"), ","

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        yield text.replace(", ", "; ", 1)
        yield from with_mark(text, ";", draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(";"): at_least(self.count)}


class Parentheses(Matches):
    """So many asides or more: round brackets on one line with a word in them, none inside another."""

    name, group, counts = "parentheses_at_least", "punctuation", (1, 2, 3)
    wordings = ("Put at least {count:aside} in parentheses.", "Use parentheses for {count:aside} or more.")
    pattern = re.compile(r"\((?=[^()\n]*\w)[^()\n]*+\)")

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_mark(text, " (so it is said)", draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character(char): at_least(self.count) for char in "()"}


class Ellipses(Matches):
    """So many ellipses or more, as "…" or three full stops in a row."""

    name, group, counts = "ellipses_at_least", "punctuation", (1, 2, 3)
    wordings = ("Trail off with an ellipsis (…) at least {count:time}.", "Use {count} or more ellipses (…).")
    pattern, instead = re.compile(r"…|(?<!\.)\.{3,}+"), "."

    def _more(self, text: str, draws: random.Random) -> Iterator[str]:
        yield from with_mark(text, "…", draws)

    def demands(self) -> Demands:
        """See `Constraint`."""
        return {character("…"): at_least(self.count)}


KINDS: tuple[type[Constraint], ...] = (
    NoCommas,
    NoFullStops,
    NoApostrophes,
    Question,
    ExactlyQuestions,
    ExclamationMarks,
    EverySentenceExclaims,
    Dialogue,
    Dashes,
    Semicolons,
    Parentheses,
    Ellipses,
)
