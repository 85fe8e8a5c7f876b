"""Never write it: go back to where a banned span became likely, and write something else."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from planish.errors import UsageError
from planish.find.behaviour import Bannable
from planish.models.tokens import Tokens
from planish.steer.row import Row
from planish.steer.steer import RETRIES, Needs, Rewind, Stage, Steer, Step
from planish.text.sections import OutsideSections
from planish.text.span import Span
from planish.text.words import FUNCTION_WORDS, WORD


@runtime_checkable
class Soft(Protocol):
    """A behaviour that is banned in part: a hit of a rule survives with probability 1 - strength."""

    @property
    def strengths(self) -> Mapping[str, float]:
        """By rule; a rule that is missing here is banned always."""
        ...


@runtime_checkable
class Turning(Protocol):
    """A behaviour that says itself which character of a span begins the token to be replaced."""

    def turn(self, span: Span, text: str) -> int:
        """By default this is where the span's first content word begins."""
        ...


class Ban(Steer):
    """Bans whatever a behaviour can see streaming in.

    Whether a hit of a soft rule survives is one coin, and the same one whenever the same row comes to the same rule at
    the same place. With `thinking` False nothing is banned between `thinking_tags`, in a section that the prompt opened
    as in one that the text did. After so many `retries` at one position a row goes back further.
    """

    stage: Stage = "forbid"

    def __init__(
        self,
        behaviour: Bannable,
        thinking: bool = True,
        thinking_tags: tuple[str, str] = ("<think>", "</think>"),
        retries: int = RETRIES,
    ) -> None:
        matcher = behaviour.matcher()
        self.needs = Needs(matcher=matcher if thinking else OutsideSections(matcher, *thinking_tags))
        self._behaviour = behaviour
        self._strengths = behaviour.strengths if isinstance(behaviour, Soft) else {}
        self._retries = retries
        self._hidden_tags = () if thinking else thinking_tags

    def check(self, tokens: Tokens) -> None:
        """Refuse a model whose thinking cannot be told from the rest: its tags are no part of its text."""
        for tag in self._hidden_tags:
            ids = tokens.tokenizer(tag, add_special_tokens=False)["input_ids"]
            if tag not in tokens.decode(ids):
                raise UsageError(
                    f"the model {tokens.name!r} marks its thinking by the control token {tag}, which no text shows",
                    "ban while it thinks, too",
                )

    def begin(self, prompt: str) -> Any:
        """The state of its matcher before the first character of a text after this prompt."""
        matcher = self.needs.matcher
        return matcher.after(prompt) if isinstance(matcher, OutsideSections) else super().begin(prompt)

    def review(self, step: Step) -> Sequence[Rewind]:
        """Every row that has just completed a banned span goes back into it, unless the hit survives."""
        return [
            Rewind(index, turning_point(self._behaviour, span, row.text, row.char_ends), span.rule, self._retries)
            for index, row in enumerate(step.rows)
            for span in step.spans[index]
            if not self._survives(span, row)
        ]

    def _survives(self, span: Span, row: Row) -> bool:
        strength = self._strengths.get(span.rule, 1)
        return strength < 1 and _coin((row.seed, row.prompt.id, row.sample, span.rule, span.start)) >= strength


def _coin(key: tuple[object, ...]) -> float:
    """Uniform in [0, 1); the same key always gives the same."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=6).digest(), "little") / 2**48


def turning_point(behaviour: object, span: Span, text: str, char_ends: Sequence[int]) -> int:
    """The token to be replaced: unless its behaviour knows better, that in which the span's first content word begins.

    "the air was thick with" turns at "air"; "the" commits to nothing. A span without a content word turns at its start.
    """
    if isinstance(behaviour, Turning):
        return bisect_right(char_ends, behaviour.turn(span, text))
    contents = (
        match.start()
        for match in WORD.finditer(text, span.start, span.end)
        if match.group().lower() not in FUNCTION_WORDS
    )
    return bisect_right(char_ends, next(contents, span.start))
