"""What the server does, apart from HTTP: from a request to rows that are being decoded."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from planish.errors import PlanishError
from planish.records.prompt import Prompt
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.server.limits import Limits
from planish.steer.server.refusal import Refusal, bad_request
from planish.steer.server.wire import TextRequest
from planish.steer.server.worker import Job, Worker
from planish.steer.steer import MODEL, Steer
from planish.steer.steering import ban_steer, tag_steer

# What a request may say besides the name of the model that is served.
ANY_MODEL = ("", "default")
MOST_SEED = 2**31


class Service:
    """One engine, its worker, and what a client may ask of them."""

    def __init__(self, engine: Engine, name: str, rows: int, limits: Limits | None = None) -> None:
        self.engine = engine
        self.name = name
        self.limits = limits or Limits()
        self.worker = Worker(engine, rows, self.limits.waiting)
        # One at a time, since a tokenizer is no thing to share; and not in the event loop, where others wait.
        self._preparing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="planish preparing")

    async def begin(self, request: TextRequest) -> Job:
        """Put a request's texts in the queue.

        Raises:
            Refusal: the request asks for too much, or for what cannot be done.
        """
        self._refuse_beyond_limits(request)
        rows = await asyncio.get_running_loop().run_in_executor(self._preparing, self._rows, request)
        job = Job(rows, request.stream)
        self.worker.submit(job)
        return job

    def close(self) -> None:
        """Stop at once."""
        self.worker.close()
        self._preparing.shutdown()

    def _refuse_beyond_limits(self, request: TextRequest) -> None:
        limits, rules = self.limits, request.rules()
        if request.model not in (*ANY_MODEL, self.name):
            message = f"there is no model {request.model!r} here; this server has {self.name!r}"
            raise Refusal(HTTPStatus.NOT_FOUND, message, "model", "model_not_found")
        for many, most, param, what in (
            (len(rules), limits.patterns, "planish.ban", "banned patterns"),
            (max((len(rule.text) for rule in rules), default=0), limits.pattern_chars, "planish.ban", "characters"),
            (len(request.stop), limits.stops, "stop", "stop strings"),
            (request.tops or 0, limits.tops, "logprobs", "alternatives for each token"),
            (len(request.inputs()) * request.n, limits.texts, "n", "texts"),
        ):
            if many > most:
                raise Refusal(HTTPStatus.BAD_REQUEST, f"{param}: at most {most} {what}, not {many}", param)
        if not request.inputs():
            raise Refusal(HTTPStatus.BAD_REQUEST, "prompt: none is given", "prompt")

    def _rows(self, request: TextRequest) -> list[Row]:
        try:
            steers, sampling = self._steers(request), self._sampling(request)
            plan = self.engine.plan(steers, sampling, request.tops, is_streamed=request.stream)
        except PlanishError as error:
            raise bad_request(error) from error
        seed = secrets.randbelow(MOST_SEED) if request.seed is None else request.seed
        rows: list[Row] = []
        # The same prompt twice in one request shall get different texts.
        samples: Counter[str] = Counter()
        for given in request.inputs():
            prompt = given if isinstance(given, Prompt) else self._prompt_of(given)
            for _ in range(request.n):
                rows.append(self.engine.row(prompt, samples[prompt.id], seed, plan))
                samples[prompt.id] += 1
        for row in rows:
            self._refuse_failed(row)
        return rows

    def _steers(self, request: TextRequest) -> list[Steer]:
        steers: list[Steer] = []
        rules = request.rules()
        if rules:
            steers.append(ban_steer(rules, request.planish.thinking))
        if request.planish.tag is not None:
            steers.append(tag_steer(self.engine.model, request.planish.tag))
        return steers

    def _sampling(self, request: TextRequest) -> Sampling:
        # A row ends at the end of the context in any case.
        most = self.limits.text_tokens or self.engine.model.context
        asked = most if request.asked_tokens is None else min(request.asked_tokens, most)
        values: dict[str, Any] = {
            "max_tokens": asked,
            "min_tokens": request.min_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "min_p": request.min_p,
            "repetition_penalty": request.repetition_penalty,
            "stop": tuple(request.stop),
        }
        # Clients say 0 or -1 for all tokens.
        return Sampling.from_user(values | ({"top_k": request.top_k} if request.top_k > 0 else {}))

    def _prompt_of(self, ids: Sequence[int]) -> Prompt:
        vocabulary = self.engine.model.vocabulary
        if not ids or not all(0 <= token < vocabulary for token in ids):
            message = f"prompt: token ids of this model are from 0 to {vocabulary - 1}, and a prompt has one or more"
            raise Refusal(HTTPStatus.BAD_REQUEST, message, "prompt")
        return Prompt(token_ids=tuple(ids))

    def _refuse_failed(self, row: Row) -> None:
        if row.finish == "failed":
            is_long = len(row.prompt_ids.get(MODEL, ())) >= self.engine.model.context
            code = "context_length_exceeded" if is_long else None
            raise Refusal(HTTPStatus.BAD_REQUEST, row.error, "messages" if row.prompt.messages else "prompt", code)


def usage_of(rows: Sequence[Row], samples: int) -> dict[str, int]:
    """Tokens of the prompts, each counted once for all its samples, and of the texts."""
    prompt = sum(len(row.prompt_ids[MODEL]) for row in rows[::samples])
    completion = sum(len(row.tokens) for row in rows)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
