"""What one more token does to a row: its text, what it completes, and whether the text ends with it."""

from collections.abc import Mapping
from typing import Any, Literal

from planish.models.tokens import Tokens
from planish.records.trace import Trace
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.steer import MODEL
from planish.text.span import Span

# The spans that something completes, a list a steer.
Found = list[list[Span]]


def write(
    tokens: Tokens, plan: Plan, row: Row, token: int, probability: float, *, trace: Trace | None = None, broke: str = ""
) -> Found:
    """Go on by one token, with its trace, and with the rule that it `broke` and is let pass for all the same."""
    ended = token in tokens.end_ids
    piece = "" if ended else row.newest_text(tokens, MODEL, token)
    row.write(token, piece, probability)
    if trace is not None:
        row.traces.append(trace.model_copy(update={"text": piece}))
    if broke:
        row.let_pass(len(row.tokens) - 1, broke)
    if plan.sampling.stop and (length := _stops_at(plan, row, len(piece))) is not None:
        return _stop(plan, row, length)
    if ended or len(row.tokens) == row.limit:
        row.finish = "stop" if ended else "length"
    states, found = _match(plan, row, piece, is_end=row.finish is not None)
    row.states.append(states)
    return found


def end(plan: Plan, row: Row, finish: Literal["stop", "length"]) -> Found:
    """The text ends with what is written already."""
    row.finish = finish
    states = row.states[-1]
    return [plan.matchers[at].finish(states[at]) if at in plan.matchers else [] for at in range(len(plan.steers))]


def _stops_at(plan: Plan, row: Row, newest: int) -> int | None:
    """After how many characters the text ends, because its newest ones complete a stop string."""
    tail = row.tail(newest + max(map(len, plan.sampling.stop)))
    start = plan.sampling.stop_start(tail, newest)
    return None if start is None else row.char_ends[-1] - len(tail) + start


def _stop(plan: Plan, row: Row, length: int) -> Found:
    """End a row before a stop string, and return what that completes."""
    pieces = list(row.pieces)
    row.stop(length)
    if not row.tokens:
        return [[] for _ in plan.steers]
    _, found = _match(plan, row, row.pieces[-1], is_end=True)
    # All but the newest token were matched before, and some of what they completed may be left.
    before_newest = "".join(pieces[len(row.tokens) - 1 : -1])
    _, known = _match(plan, row, before_newest, is_end=False)
    return [[span for span in new if span not in old] for new, old in zip(found, known, strict=True)]


def _match(plan: Plan, row: Row, piece: str, is_end: bool) -> tuple[Mapping[int, Any], Found]:
    """The matchers' states after a row's last token, if that wrote `piece`, and the spans it completes.

    `row.held_chars` then says how many of the newest characters may still become part of one.
    """
    found: Found = [[] for _ in plan.steers]
    before = row.states[len(row.tokens) - 2] if len(row.tokens) > 1 else row.first_states
    states: dict[int, Any] = {}
    row.held_chars = 0
    for at, matcher in plan.matchers.items():
        match = matcher.feed(before[at], piece)
        states[at] = match.state
        row.held_chars = max(row.held_chars, match.held_chars)
        found[at] = match.spans + (matcher.finish(match.state) if is_end else [])
    return states, found
