"""What a model wrote."""

from collections.abc import Sequence
from typing import Literal

from planish.errors import DataError
from planish.records.record import Record
from planish.records.trace import Trace


class Event(Record):
    """Something a steer did to one position of a generation.

    `position` counts generated tokens. `path` says on which path it happened: 0 is the final text, k is
    `Generation.branches[k - 1]`. Where `rejected` and `replacement` are the same token, it was let pass.
    """

    rule: str
    position: int
    rejected: int
    replacement: int | None = None
    path: int = 0

    @property
    def let_pass(self) -> bool:
        """The token should have gone and stayed: nothing better was left."""
        return self.rejected == self.replacement


class Generation(Record):
    """One text for one prompt, token by token.

    `char_ends[i]` is how many characters of `text` stand once token `i` is written. `branches` are abandoned paths that
    still hold events: their generated tokens, up to the last event. `tokens_spent` counts every token that was drawn.
    `id` names the draw (prompt, seed, sample): the same draw from another model or under a steer has the same id.
    `trace` has an entry a token where one was asked for.
    """

    id: str
    prompt_id: str
    sample: int
    seed: int
    text: str
    prompt_token_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    char_ends: tuple[int, ...]
    finish: Literal["stop", "length", "failed"]
    events: tuple[Event, ...] = ()
    branches: tuple[tuple[int, ...], ...] = ()
    tokens_spent: int = 0
    model_hash: str = ""
    template_hash: str = ""
    status: Literal["ok", "failed"] = "ok"
    error: str = ""
    trace: tuple[Trace, ...] = ()


def successes(generations: Sequence[Generation]) -> list[Generation]:
    """The generations that did not fail.

    Raises:
        DataError: there are generations, and all of them failed; the first one's reason is given.
    """
    succeeded = [generation for generation in generations if generation.status == "ok"]
    if generations and not succeeded:
        raise DataError(
            f"none of {len(generations)} texts could be written: {generations[0].error}",
            "mend the cause, and run again",
        )
    return succeeded
