"""The decoding engine: many rows at once, any steers, and every row may go back at any time."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence

import torch

from planish.errors import UsageError
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.steer.batch import Batch
from planish.steer.batch_size import BatchSize, fitting_batch_size, halved, is_out_of_memory
from planish.steer.new_row import new_row
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.stages import model_key
from planish.steer.steer import MODEL, Steer

# New rows come in together, when this much of the batch has become free: a short pass over few prompts costs nearly as
# much as one over many.
LEAST_FREE = 0.125


class Engine:
    """Decodes prompts on one model, with its companions in lock step, under any number of steers.

    Steers act by stage, whatever their order here. A text does not depend on what else is in the batch. Without a
    `batch_size` as many rows are decoded at once as surely fit; `size` says how many the latest call took, and why.
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
        self.size: BatchSize | None = None
        self._asked = BatchSize(batch_size, f"{batch_size} rows at once, as asked for") if batch_size else None
        self._known_to_fit: BatchSize | None = None
        self.models = {MODEL: model}
        """The model and its companions, by `model_key`."""
        _check(steers, model)
        for at, steer in enumerate(steers):
            for name, companion in steer.needs.companions.items():
                model.require_same_tokenizer(companion or model)
                if (companion or model).vocabulary < model.vocabulary:
                    raise UsageError(f"{name} has fewer logits than {model.name!r}", "exchange the two models")
                self.models[model_key(at, name)] = companion or model

    def on(self, device: torch.device) -> "Engine":
        """The same engine on another device, with copies of all models."""
        steers = [steer.on(device) for steer in self.steers]
        return Engine(self.model.on(device), steers, self.sampling, self._asked.rows if self._asked else None)

    def plan(
        self,
        steers: Sequence[Steer] = (),
        sampling: Sampling | None = None,
        top: int | None = None,
        is_streamed: bool = False,
    ) -> Plan:
        """How rows are written that ask for more steers than the engine has, or for a sampling of their own.

        Raises:
            UsageError: one of these steers needs a companion, which all rows of an engine would have to have.
        """
        for steer in steers:
            if steer.needs.companions:
                raise UsageError(f"{type(steer).__name__.lower()} needs a model beside", "give it to the engine")
        _check([*self.steers, *steers], self.model)
        return Plan((*self.steers, *steers), sampling or self.sampling, top, is_streamed)

    def generate(
        self, prompts: Sequence[Prompt], samples: int = 1, seed: int = 0, top: int | None = None
    ) -> list[Generation]:
        """Write `samples` texts for every prompt, in the order of the prompts.

        A prompt that cannot be decoded comes back as a failed generation and stops nothing else. With `top`, each text
        carries a trace of its tokens, with so many of the likeliest.

        Raises:
            UsageError: some of the prompts carry a tag and some do not.
        """
        rows = self._rows(prompts, samples, seed, self.plan(top=top))
        for _ in self._decoded(rows):
            pass
        return self.generations(rows)

    def write(
        self, prompts: Sequence[Prompt], samples: int = 1, seed: int = 0, plan: Plan | None = None
    ) -> Iterator[Row]:
        """The same texts, each handed over as soon as it is finished: in no particular order.

        Raises:
            UsageError: some of the prompts carry a tag and some do not.
            ModelError: memory ran out with one row at a time.
        """
        rows = self._rows(prompts, samples, seed, plan or self.plan())
        yield from (row for row in rows if row.finish is not None)
        yield from self._decoded(rows)

    def stream(self, prompt: Prompt, seed: int = 0, top: int | None = None) -> Generator[str, None, Row]:
        """One text, its characters handed over as soon as they will not be taken back; at the end, the row."""
        row = self.row(prompt, 0, seed, self.plan(top=top, is_streamed=True))
        if row.finish is not None:
            return row
        batch = self.batch()
        batch.join([row])
        told = 0
        while batch.rows:
            batch.step()
            if row.settled_chars > told:
                yield row.text[told : row.settled_chars]
                told = row.settled_chars
        return row

    def generations(self, rows: Sequence[Row]) -> list[Generation]:
        """Finished rows as records."""
        hashes = self.model.model_hash, self.model.template_hash
        return [row.generation(MODEL, *hashes) for row in rows]

    def row(self, prompt: Prompt, sample: int, seed: int, plan: Plan) -> Row:
        """A row for a batch of this engine. One that cannot be decoded has failed already."""
        return new_row(plan, prompt, sample, seed, self.models)

    def batch(self) -> Batch:
        """An empty batch for rows of this engine."""
        return Batch(self.models)

    def batch_size(self, tokens: int) -> BatchSize:
        """How many rows of `tokens` tokens, prompt included, may be in a batch at once, and why."""
        size = self._asked or fitting_batch_size(self.models.values(), tokens)
        return min(filter(None, (size, self._known_to_fit)))

    def _rows(self, prompts: Sequence[Prompt], samples: int, seed: int, plan: Plan) -> list[Row]:
        if len({prompt.tag is None for prompt in prompts}) > 1:
            raise UsageError("prompts with and without a tag stand in one call", "decode them in two calls")
        return [self.row(prompt, sample, seed, plan) for prompt in prompts for sample in range(samples)]

    def _decoded(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Decode all rows, with fewer at once whenever memory runs out.

        Raises:
            ModelError: not even one row fits.
        """
        waiting = deque(row for row in rows if row.finish is None)
        if not waiting:
            return
        longest = max(len(ids) + row.limit for row in waiting for ids in row.prompt_ids.values())
        self.size = size = self.batch_size(longest)
        while waiting:
            batch, joining = self.batch(), list[Row]()
            try:
                yield from _decode(waiting, joining, batch, size.rows)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Only out here is the memory free again that the error's frames held. Draws belong to rows, so the same
            # rows write the same texts.
            in_hand = [*batch.rows, *joining]
            del batch
            if in_hand:
                for row in reversed(in_hand):
                    row.start_again()
                    waiting.appendleft(row)
                self.size = self._known_to_fit = size = halved(size, self.model.device, longest)


def _decode(waiting: deque[Row], joining: list[Row], batch: Batch, most: int) -> Iterator[Row]:
    """Decode rows, so many at once at most, until none is left; those just taken out of `waiting` are in `joining`."""
    while batch.rows or waiting:
        free = most - len(batch.rows)
        if waiting and free >= LEAST_FREE * most:
            joining += [waiting.popleft() for _ in range(min(free, len(waiting)))]
            batch.join(joining)
            joining.clear()
        yield from batch.step()


def _check(steers: Sequence[Steer], model: LanguageModel) -> None:
    for steer in steers:
        steer.check(model)
    if sum(steer.stage == "cap" for steer in steers) > 1:
        raise UsageError("two caps stand in one engine", "join them: tightest([a, b]) keeps both")
