"""Never write it: go back to where a banned span became likely, and write something else."""

from bisect import bisect_right
from collections.abc import Sequence

from planish.find.behaviour import Bannable
from planish.steer.steer import Needs, Rewind, Stage, Steer, Step
from planish.text.span import Span
from planish.text.words import FUNCTION_WORDS, WORD


class Ban(Steer):
    """Bans whatever a behaviour can see streaming in."""

    stage: Stage = "forbid"

    def __init__(self, behaviour: Bannable) -> None:
        self.needs = Needs(matcher=behaviour.matcher())

    def review(self, step: Step) -> Sequence[Rewind]:
        """Every row that has just completed a banned span goes back into it."""
        return [
            Rewind(index, turning_point(span, row.text, row.char_ends), span.rule)
            for index, row in enumerate(step.rows)
            for span in step.spans[index]
        ]


def turning_point(span: Span, text: str, char_ends: Sequence[int]) -> int:
    """The token to be replaced: the one in which the span's first content word begins.

    "the air was thick with" turns at "air"; "the" commits to nothing. A span without a content word turns at its start.
    """
    contents = (
        match.start()
        for match in WORD.finditer(text, span.start, span.end)
        if match.group().lower() not in FUNCTION_WORDS
    )
    return bisect_right(char_ends, next(contents, span.start))
