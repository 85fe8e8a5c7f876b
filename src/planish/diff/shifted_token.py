"""A token of a text, as two models see it."""

from planish.records.record import Record


class Likely(Record):
    """A token that a model finds likely somewhere, with the natural logarithm of its probability."""

    token_id: int
    text: str
    log_prob: float


class ShiftedToken(Record):
    """How much likelier one token of a text became: `change` is the difference of the log-probabilities, in nats.

    `text_number` counts texts and `position` tokens, both from 0; where a prompt is shown, it is counted in. A
    character of several tokens is the `text` of its last one, and that of the others is empty. `rank` is 1 for the
    likeliest token; `top` are the likeliest ones, whether this one is among them or not.
    """

    text_number: int
    position: int
    token_id: int
    text: str
    is_special: bool
    is_prompt: bool
    change: float
    log_prob_before: float
    log_prob_after: float
    rank_before: int
    rank_after: int
    top_before: tuple[Likely, ...]
    top_after: tuple[Likely, ...]
