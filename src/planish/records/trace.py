"""What happened at one token: what the model thought of it, and what each steer made of that."""

from pydantic import Field

from planish.records.record import Record


class Trace(Record):
    """One token of a text, as it was drawn.

    `probability` and `rank` (1 is the likeliest) are the model's own, before any steer; `top` are its likeliest tokens
    with their probabilities. `steers` says for each steer that adjusted the logits by how much it changed the natural
    logarithm of this token's probability. `drawn_probability` is what was left after all of them and the user's
    sampling. `rejected` are the tokens that may no longer stand here.
    """

    token: int
    text: str
    probability: float
    rank: int
    top: tuple[tuple[int, float], ...] = ()
    steers: dict[str, float] = Field(default_factory=dict)
    drawn_probability: float
    rejected: tuple[int, ...] = ()
