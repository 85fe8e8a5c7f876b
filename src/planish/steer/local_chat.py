"""Asking a model whose weights are here."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from planish.errors import PlanishError
from planish.models.language_model import LanguageModel
from planish.records.prompt import Prompt
from planish.records.reply import Draw, Reply, Request
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling


class LocalChat:
    """Answers draws on the local engine. A model without a chat template goes on from the request as from any text."""

    def __init__(self, model: LanguageModel, batch_size: int | None = None) -> None:
        self._engine = Engine(model, batch_size=batch_size)

    def replies(self, draws: Sequence[Draw]) -> Iterator[Reply]:
        """A reply to each draw, as they come; one that cannot be written is a failed one.

        Raises:
            ModelError: memory ran out with one row at a time.
        """
        for alike in _alike(draws):
            yield from self._write(alike)

    def _write(self, draws: Sequence[Draw]) -> Iterator[Reply]:
        """Answer draws of one kind."""
        wanted = {draw.place: draw for draw in draws}
        prompts: dict[str, Prompt] = {}
        for draw in draws:
            try:
                prompts[draw.request.key] = _prompt(self._engine.model, draw.request)
            except PlanishError as error:
                yield draw.failure(error.message)
        request = draws[0].request
        plan = self._engine.plan(sampling=_sampling(request))
        # The engine counts samples from 0: after a kill, those that are there already are written once more.
        samples = 1 + max(draw.sample for draw in draws)
        for row in self._engine.write(list(prompts.values()), samples, request.seed, plan):
            generation = self._engine.generations([row])[0]
            asked = wanted.get((generation.prompt_id, generation.sample))
            if asked is None:
                continue
            if generation.finish == "failed":
                yield asked.failure(generation.error)
            else:
                yield asked.reply(asked.request.prefix + generation.text, generation.finish)


def _alike(draws: Sequence[Draw]) -> list[list[Draw]]:
    """Draws that can be written in one call: with one sampling, one seed and one number of samples."""
    last_sample: dict[str, int] = {}
    for draw in draws:
        last_sample[draw.request.key] = max(draw.sample, last_sample.get(draw.request.key, 0))
    groups = defaultdict[object, list[Draw]](list)
    for draw in draws:
        request = draw.request
        groups[_sampling(request).model_dump_json(), request.seed, last_sample[request.key]].append(draw)
    return list(groups.values())


def _sampling(request: Request) -> Sampling:
    return Sampling(
        max_tokens=request.max_tokens, temperature=request.temperature, top_p=request.top_p, stop=request.stop
    )


def _prompt(model: LanguageModel, request: Request) -> Prompt:
    """A prompt by the name of the request, so that each has draws of its own."""
    if not model.is_chat:
        asked = "\n\n".join(turn.content for turn in request.messages)
        return Prompt(id=request.key, text=f"{asked}\n\n{request.prefix}")
    ids = model.encode(Prompt(messages=request.messages))
    prefix = model.tokenizer(request.prefix, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return Prompt(id=request.key, token_ids=(*ids, *prefix))
