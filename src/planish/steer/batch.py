"""The continuous batch: rows that are written together, joined and left by others at any time."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import torch

from planish.models.language_model import LanguageModel
from planish.steer.draw import NOT_NUMBERS, Draw, draw_tokens
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.single_rows import rows_of
from planish.steer.steer import MODEL, Rewind, Step
from planish.steer.writing import Found, write

# At one position never so much is taken away that less probability than this is left: what remains would not be what
# the model says. The row goes back further instead.
LEAST_LEFT = 0.01
# How often a row may go back: so often, and so often for every token that it may reach. After that, hits are let pass.
REWINDS = 32
REWINDS_PER_TOKEN = 2


class Batch:
    """Rows on one model, with its companions in lock step; each row is steered by its own plan.

    A text does not depend on what else is in the batch.
    """

    def __init__(self, models: Mapping[str, LanguageModel]) -> None:
        self.rows: list[Row] = []
        self._models = models
        self._caches = {name: rows_of(model) for name, model in models.items()}

    @torch.no_grad()
    def join(self, rows: Sequence[Row]) -> None:
        """Take rows in, with their prompts read."""
        for name, cache in self._caches.items():
            # All but the last token: that one is read in the step, as every other row's last token is.
            longest = max((len(row.prompt_ids[name]) + row.limit for row in rows), default=0)
            cache.add_rows([row.prompt_ids[name][:-1] for row in rows], longest)
        self.rows.extend(rows)

    def leave(self, rows: Sequence[Row]) -> None:
        """Go on without these."""
        gone = {id(row) for row in rows}
        staying = [index for index, row in enumerate(self.rows) if id(row) not in gone]
        # Who stands behind the new end moves into a place that has become free; nobody else moves.
        movers = [index for index in staying if index >= len(staying)]
        free = iter(movers)
        order = [index if id(self.rows[index]) not in gone else next(free) for index in range(len(staying))]
        for cache in self._caches.values():
            cache.keep_rows(order)
        self.rows[:] = [self.rows[index] for index in order]

    @torch.no_grad()
    def step(self) -> list[Row]:
        """Write one token in each row, or go back in it; returns the rows that have just finished, which have left."""
        hidden = {name: cache.feed([(row.last_id(name),) for row in self.rows]) for name, cache in self._caches.items()}
        vocabulary = self._models[MODEL].vocabulary
        # A companion may have been padded to more logits than the model has.
        logits = {name: self._models[name].head(states)[:, :vocabulary] for name, states in hidden.items()}
        for places in self._kinds():
            rows, its_logits, its_hidden = self.rows, logits, hidden[MODEL]
            if len(places) < len(self.rows):
                rows = [self.rows[place] for place in places]
                its_logits = {name: scores[places] for name, scores in logits.items()}
                its_hidden = its_hidden[places]
            draw = draw_tokens(plan_of(rows[0]), rows, its_logits, its_hidden, self._models[MODEL])
            self._write_all(Step(rows, its_logits, its_hidden), draw, places)
        finished = [row for row in self.rows if row.finish is not None]
        if finished:
            self.leave(finished)
        return finished

    def _kinds(self) -> Iterable[list[int]]:
        """Where rows stand that are steered and drawn together."""
        places: dict[Hashable, list[int]] = {}
        for place, row in enumerate(self.rows):
            places.setdefault(plan_of(row).kind, []).append(place)
        return places.values()

    def _write_all(self, step: Step, draw: Draw, places: Sequence[int]) -> None:
        """Write what was drawn, let the steers review it, and settle what can no longer change."""
        spans: dict[int, Found] = {}
        for index, (row, fault) in enumerate(zip(step.rows, draw.faults, strict=True)):
            dead_end = draw.dead_ends.get(index)
            if fault:
                self._fail(row, fault, places[index])
            elif dead_end is None or not self._go_back(row, dead_end, places[index]):
                spans[index] = write(
                    self._models[MODEL],
                    plan_of(row),
                    row,
                    draw.tokens[index],
                    draw.probabilities[index],
                    trace=draw.traces[index] if draw.traces else None,
                    broke=dead_end.rule if dead_end else "",
                )
        gone_back = self._review(step, spans, places)
        for index in spans.keys() - gone_back:
            if plan_of(step.rows[index]).is_streamed:
                _settle(step.rows[index])

    def _fail(self, row: Row, fault: str, place: int) -> None:
        row.fail(fault)
        if fault == NOT_NUMBERS:
            for cache in self._caches.values():
                cache.wipe(place)

    def _review(self, step: Step, spans: dict[int, Found], places: Sequence[int]) -> set[int]:
        """Let every steer see what was written, and go back once a row, as far as any asks; returns these rows."""
        asked: list[Rewind] = []
        for at, steer in enumerate(plan_of(step.rows[0]).steers):
            found = [spans[index][at] if index in spans else [] for index in range(len(step.rows))]
            asked += steer.review(Step(step.rows, step.logits, step.hidden, found))
        gone_back: set[int] = set()
        for rewind in sorted(asked, key=lambda rewind: rewind.position):
            # A row that wrote nothing has nothing new to review; what stood behind a rewind is gone.
            if rewind.row in spans and rewind.row not in gone_back:
                row = step.rows[rewind.row]
                if self._go_back(row, rewind, places[rewind.row]):
                    gone_back.add(rewind.row)
                else:
                    row.let_pass(rewind.position, rewind.rule)
        return gone_back

    def _go_back(self, row: Row, rewind: Rewind, place: int) -> bool:
        """Go back to the asked position, or before it where too little would be left there."""
        position = rewind.position
        while position >= row.settled and not _can_draw_again(row, position, rewind.retries):
            position -= 1
        if position < row.settled or row.rewinds >= REWINDS_PER_TOKEN * row.limit + REWINDS:
            return False
        row.rewind(position, rewind.rule)
        for name, cache in self._caches.items():
            # One token more than stays true: it is read again, for the distribution at `position`.
            cache.rewind(place, len(row.prompt_ids[name]) + position - 1)
        return True


def plan_of(row: Row) -> Plan:
    """The plan of a row in a batch."""
    assert row.plan is not None
    return row.plan


def _settle(row: Row) -> None:
    plan = plan_of(row)
    tail = row.tail(row.held_chars + max(map(len, plan.sampling.stop), default=0))
    # What is held may be drawn anew, and then complete a stop string that begins before it.
    kept = tail[: len(tail) - row.held_chars]
    stop_begun = max(plan.sampling.stop_begun(tail), row.held_chars + plan.sampling.stop_begun(kept))
    row.settle(0 if row.finish else stop_begun)


def _can_draw_again(row: Row, position: int, retries: int) -> bool:
    rejected = row.rejected.get(position, {}) | {row.tokens[position]: row.probabilities[position]}
    return len(rejected) <= retries and 1 - sum(rejected.values()) >= LEAST_LEFT
