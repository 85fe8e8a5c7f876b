"""The decoding engine: many rows at once, any steers, and every row may go back at any time."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from planish.errors import PlanishError, UsageError
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.steer.batch_size import BatchSize, fitting_batch_size, halved, is_out_of_memory
from planish.steer.cache import ColumnCache
from planish.steer.noise import gumbel
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.steer import MODEL, Rewind, Stage, Steer, Step
from planish.text.span import Span

# New rows come in together, when this much of the batch has become free: each joining copies the cache.
LEAST_FREE = 0.25
# At one position at most so many tokens are taken away, and never so many that less probability than this is left: what
# remains would not be what the model says. The row goes back further instead.
MOST_REJECTED = 32
LEAST_LEFT = 0.01
# How often a row may go back for every token that it may reach; after that, hits are let pass.
REWINDS_PER_TOKEN = 2


class Engine:
    """Decodes prompts on one model, with its companions in lock step, under any number of steers.

    Steers act by stage, whatever their order here. A text does not depend on what else is in the batch. Without a
    `batch_size` as many rows are decoded at once as surely fit; `batch` says how many the latest call took, and why.
    """

    def __init__(
        self,
        model: LanguageModel,
        steers: Sequence[Steer] = (),
        sampling: Sampling | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.model = model
        self.steers = steers
        self.sampling = sampling or Sampling()
        self.batch: BatchSize | None = None
        self._asked = BatchSize(batch_size, f"{batch_size} rows at once, as asked for") if batch_size else None
        self._known_to_fit: BatchSize | None = None
        self._models = {MODEL: model}
        for at, steer in enumerate(steers):
            for name, companion in steer.needs.companions.items():
                model.require_same_tokenizer(companion or model)
                if (companion or model).vocabulary < model.vocabulary:
                    raise UsageError(f"{name} has fewer logits than {model.name!r}", "exchange the two models")
                self._models[_key(at, name)] = companion or model
        self._matchers = {at: steer.needs.matcher for at, steer in enumerate(steers) if steer.needs.matcher is not None}

    @torch.no_grad()
    def generate(self, prompts: Sequence[Prompt], samples: int = 1, seed: int = 0) -> list[Generation]:
        """Write `samples` texts for every prompt, in the order of the prompts.

        A prompt that cannot be decoded comes back as a failed generation and stops nothing else.

        Raises:
            UsageError: some of the prompts carry a tag and some do not.
        """
        rows = [self._row(prompt, sample, seed) for prompt in prompts for sample in range(samples)]
        if len({prompt.tag is None for prompt in prompts}) > 1:
            raise UsageError("prompts with and without a tag stand in one call", "decode them in two calls")
        waiting = deque(row for row in rows if row.finish is None)
        if waiting:
            self._decode_all(waiting)
        hashes = self.model.model_hash, self.model.template_hash
        return [row.generation(MODEL, *hashes) for row in rows]

    def _decode_all(self, waiting: deque[Row]) -> None:
        """Decode all rows, with fewer at once whenever memory runs out.

        Raises:
            ModelError: not even one row fits.
        """
        longest = max(len(ids) + row.limit for row in waiting for ids in row.prompt_ids.values())
        size = self._asked or fitting_batch_size(self._models.values(), longest)
        self.batch = size = min(filter(None, (size, self._known_to_fit)))
        while waiting:
            batch: list[Row] = []
            try:
                self._decode(waiting, batch, size.rows)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Only out here is the memory free again that the error's frames held. Draws belong to rows, so the same
            # rows write the same texts.
            if batch:
                for row in reversed(batch):
                    row.start_again()
                    waiting.appendleft(row)
                self.batch = self._known_to_fit = size = halved(size, self.model.device, longest)

    def _decode(self, waiting: deque[Row], batch: list[Row], most: int) -> None:
        """Decode rows, so many at once at most, until none is left; those in hand are in `batch`."""
        caches = {name: ColumnCache(model) for name, model in self._models.items()}
        while batch or waiting:
            free = most - len(batch)
            if waiting and free >= LEAST_FREE * most:
                joining = [waiting.popleft() for _ in range(min(free, len(waiting)))]
                batch.extend(joining)
                for name, cache in caches.items():
                    # All but the last token: that one is read in the step, as every other row's last token is.
                    cache.add_rows([row.prompt_ids[name][:-1] for row in joining])
            self._step(batch, caches)
            going_on = [index for index, row in enumerate(batch) if row.finish is None]
            for cache in caches.values():
                cache.keep_rows(going_on)
            batch[:] = [batch[index] for index in going_on]

    def _row(self, prompt: Prompt, sample: int, seed: int) -> Row:
        seen = dict.fromkeys(self._models, prompt)
        for at, steer in enumerate(self.steers):
            seen |= {_key(at, name): prepared for name, prepared in steer.prepare(seen[MODEL]).items()}
        row = Row(prompt=seen[MODEL], sample=sample, seed=seed, prompt_ids={}, limit=self.sampling.max_tokens)
        try:
            row.prompt_ids = {name: model.encode(seen[name]) for name, model in self._models.items()}
        except PlanishError as error:
            row.fail(error.message)
            return row
        room = min(model.context - len(row.prompt_ids[name]) for name, model in self._models.items())
        row.limit = min(row.limit, room)
        if room < 1:
            row.fail(f"the prompt fills the context of {min(m.context for m in self._models.values())} tokens")
        return row

    def _step(self, rows: list[Row], caches: dict[str, ColumnCache]) -> None:
        """Read each row's last token, draw the next, and go back where a steer says so."""
        hidden = {name: cache.feed([row.ids(name)[-1:] for row in rows]) for name, cache in caches.items()}
        # A companion may have been padded to more logits than the model has.
        logits = {name: self._models[name].head(states)[:, : self.model.vocabulary] for name, states in hidden.items()}
        dead_ends: dict[int, Rewind] = {}
        step = self._stage("mix", Step(rows, logits, hidden[MODEL]), dead_ends)
        mixed = step.logits[MODEL]
        step = self._stage("forbid", _with_logits(step, self._without_rejected(rows, mixed)), dead_ends)
        step = _with_logits(step, self._sampled(rows, step.logits[MODEL]))
        step = self._stage("cap", step, dead_ends)
        drawn = self._draw(rows, step.logits[MODEL])
        probabilities = mixed.softmax(-1).gather(1, drawn[:, None])[:, 0].tolist()
        broken = (step.logits[MODEL].isnan() | mixed.isnan()).any(-1).tolist()
        barren = step.logits[MODEL].eq(-torch.inf).all(-1).tolist()
        spans: dict[int, list[list[Span]]] = {}
        for index, (row, token, probability) in enumerate(zip(rows, drawn.tolist(), probabilities, strict=True)):
            dead_end = dead_ends.get(index)
            if broken[index]:
                row.fail("the logits are not numbers")
            elif barren[index]:
                row.fail("no token is left that may be written")
            elif dead_end is None or not self._go_back(dead_end, rows, caches):
                spans[index] = self._write(row, token, probability, dead_end)
        self._review(step, spans, caches)

    def _stage(self, stage: Stage, step: Step, dead_ends: dict[int, Rewind]) -> Step:
        for at, steer in enumerate(self.steers):
            if steer.stage == stage:
                shown = {name: step.logits[_key(at, name)] for name in (MODEL, *steer.needs.companions)}
                adjustment = steer.adjust(replace(step, logits=shown))
                dead_ends |= {rewind.row: rewind for rewind in adjustment.rewinds}
                step = _with_logits(step, adjustment.logits)
        return step

    def _without_rejected(self, rows: list[Row], logits: Tensor) -> Tensor:
        logits = logits.clone()
        logits[:, list(self.model.tags.values())] = -torch.inf
        for index, row in enumerate(rows):
            logits[index, list(row.rejected.get(len(row.tokens), ()))] = -torch.inf
        return logits

    def _sampled(self, rows: list[Row], logits: Tensor) -> Tensor:
        """What the user's settings leave."""
        prompts, texts = [row.prompt_ids[MODEL] for row in rows], [row.tokens for row in rows]
        return self.sampling.truncate(self.sampling.penalise(logits, prompts, texts, self.model.end_ids))

    def _draw(self, rows: list[Row], logits: Tensor) -> Tensor:
        """One token a row. The number of rewinds is part of the key: after each, all noise is fresh."""
        if self.sampling.temperature == 0:
            return logits.argmax(-1)
        keys = [(row.seed, row.prompt.id, row.sample, len(row.tokens), row.rewinds) for row in rows]
        return (logits + gumbel(keys, logits.shape[-1], logits.device)).argmax(-1)

    def _write(self, row: Row, token: int, probability: float, dead_end: Rewind | None) -> list[list[Span]]:
        """Write a token down, and return what it completes, a list of spans a steer."""
        ended = token in self.model.end_ids
        latest, settled = row.decoding_window(MODEL)
        piece = "" if ended else self.model.newest_text([*latest, token], settled)
        row.write(token, piece, probability)
        if dead_end is not None:
            row.let_pass(len(row.tokens) - 1, dead_end.rule)
        if self.sampling.stop and (length := self.sampling.stop_start(row.text, len(piece))) is not None:
            return self._stop(row, length)
        if ended or len(row.tokens) == row.limit:
            row.finish = "stop" if ended else "length"
        states, found = self._match(row, piece, is_end=row.finish is not None)
        row.states.append(states)
        return found

    def _stop(self, row: Row, length: int) -> list[list[Span]]:
        """End a row before a stop string, and return what that completes."""
        pieces = list(row.pieces)
        row.stop(length)
        if not row.tokens:
            return [[] for _ in self.steers]
        _, found = self._match(row, row.pieces[-1], is_end=True)
        # All but the newest token were matched before, and some of what they completed may be left.
        before_newest = "".join(pieces[len(row.tokens) - 1 : -1])
        _, known = self._match(row, before_newest, is_end=False)
        return [[span for span in new if span not in old] for new, old in zip(found, known, strict=True)]

    def _match(self, row: Row, piece: str, is_end: bool) -> tuple[Mapping[int, Any], list[list[Span]]]:
        """The matchers' states after a row's last token, if that wrote `piece`, and the spans it completes."""
        last = len(row.tokens) - 1
        states = dict(row.states[last - 1]) if last else {at: each.start for at, each in self._matchers.items()}
        found: list[list[Span]] = [[] for _ in self.steers]
        for at, matcher in self._matchers.items():
            match = matcher.feed(states[at], piece)
            states[at] = match.state
            found[at] = match.spans + (matcher.finish(match.state) if is_end else [])
        return states, found

    def _review(self, step: Step, spans: dict[int, list[list[Span]]], caches: dict[str, ColumnCache]) -> None:
        """Let every steer see what was written, and go back once a row, as far as any steer asks."""
        asked: list[Rewind] = []
        for at, steer in enumerate(self.steers):
            found = [spans[index][at] if index in spans else [] for index in range(len(step.rows))]
            asked += steer.review(replace(step, spans=found))
        gone_back: set[int] = set()
        for rewind in sorted(asked, key=lambda rewind: rewind.position):
            # A row that wrote nothing has nothing new to review; what stood behind a rewind is gone.
            if rewind.row in spans and rewind.row not in gone_back:
                if self._go_back(rewind, step.rows, caches):
                    gone_back.add(rewind.row)
                else:
                    step.rows[rewind.row].let_pass(rewind.position, rewind.rule)

    def _go_back(self, rewind: Rewind, rows: Sequence[Row], caches: dict[str, ColumnCache]) -> bool:
        """Go back to the asked position, or before it where too little would be left there."""
        row, position = rows[rewind.row], rewind.position
        while position >= 0 and not _can_draw_again(row, position):
            position -= 1
        if position < 0 or row.rewinds >= REWINDS_PER_TOKEN * row.limit + MOST_REJECTED:
            return False
        row.rewind(position, rewind.rule)
        for name, cache in caches.items():
            # One token more than stays true: it is read again, for the distribution at `position`.
            cache.rewind(rewind.row, len(row.prompt_ids[name]) + position - 1)
        return True


def _can_draw_again(row: Row, position: int) -> bool:
    rejected = row.rejected.get(position, {}) | {row.tokens[position]: row.probabilities[position]}
    return len(rejected) <= MOST_REJECTED and 1 - sum(rejected.values()) >= LEAST_LEFT


def _with_logits(step: Step, logits: Tensor) -> Step:
    return replace(step, logits={**step.logits, MODEL: logits})


def _key(at: int, name: str) -> str:
    """The name of a model in the engine: two steers may each have a companion of one name."""
    return name if name == MODEL else f"{name} of steer {at}"
