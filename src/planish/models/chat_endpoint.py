"""Asking a model behind a server that speaks OpenAI's chat protocol."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from threading import Event
from typing import Any

from planish.errors import ModelError
from planish.models.chat_stream import read_answer
from planish.models.connection import Connection
from planish.records.reply import Draw, Reply

CHAT = "/v1/chat/completions"
# Servers that go on writing where a last turn of the assistant ends, by what they call themselves; any other would
# answer such a turn, and may refuse what it does not know.
PREFILLING = ("vllm", "llamacpp")
# When so many replies have failed and none has come, the server is at fault and not what it is asked.
HOPELESS = 16


class ChatEndpoint:
    """Answers draws by a server, many at the same time; the model is the one that each request names.

    A sample is a call of its own, with a seed of its own: not every server knows `n`. A prefix is sent where the server
    goes on from it; elsewhere it is left out, and the answer may begin otherwise. The key is what the environment holds
    in PLANISH_API_KEY, or else in OPENAI_API_KEY; it is shown nowhere.

    Args:
        url: of the server, with or without /v1.
        concurrency: calls at the same time.
        timeout_s: how long to wait for the next token.
        attempts: how often to ask when there is no answer, or one that may pass (429, 5xx).
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        url: str,
        concurrency: int = 8,
        timeout_s: float = 120.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = Connection(url, timeout_s, attempts, sleep=sleep)
        self._concurrency = concurrency
        self._is_prefilling = False

    def served(self) -> list[str]:
        """The names of the models that the server has; it is asked now.

        Raises:
            ModelError: it cannot be reached, refuses, or says what cannot be understood.
        """
        self._connection.forget_failure()
        try:
            listed = self._connection.get("/v1/models")["data"]
            self._is_prefilling = any(each.get("owned_by") in PREFILLING for each in listed)
            return [str(each["id"]) for each in listed]
        except (LookupError, TypeError, AttributeError) as error:
            url = self._connection.url
            raise ModelError(f"{url} does not say which models it serves", "check the URL, and its port") from error

    def replies(self, draws: Sequence[Draw]) -> Iterator[Reply]:
        """A reply to each draw, as they come; a draw that the server fails to answer is a failed one.

        Raises:
            ModelError: the server cannot be reached, at the beginning or any more, has no such model, or answers
                nothing at all.
        """
        self._require_models({draw.request.model for draw in draws})
        failures: int | None = 0
        is_cancelled = Event()
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="planish-asking") as pool:
            try:
                asked = [pool.submit(self._reply, draw, is_cancelled) for draw in draws]
                for done in as_completed(asked):
                    reply = done.result()
                    if reply.status == "ok":
                        failures = None
                    else:
                        self.served()  # that of a server which is gone says nothing about its draw
                        failures = None if failures is None else failures + 1
                        self._require_hope(failures, reply.error)
                    yield reply
            except BaseException:
                is_cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _require_hope(self, failures: int | None, error: str) -> None:
        if failures == HOPELESS:
            raise ModelError(
                f"{self._connection.url} answers none of the first {HOPELESS} requests: {error}",
                f"check that the server has {CHAT}",
            )

    def _require_models(self, models: set[str]) -> None:
        served = self.served()
        for model in sorted(models - set(served)):
            if served:
                raise ModelError(f"{self._connection.url} serves no model {model!r}", f"it serves: {', '.join(served)}")

    def _reply(self, draw: Draw, is_cancelled: Event) -> Reply:
        prefix = draw.request.prefix if self._is_prefilling else ""
        try:
            with closing(
                self._connection.post(CHAT, _body(draw, prefix), lambda lines: read_answer(lines, is_cancelled.is_set))
            ) as answers:
                answer = next(answers)
        except ModelError as error:
            return draw.failure(error.message)
        # Some say the prefix back.
        text = answer.text if answer.text.startswith(prefix) else prefix + answer.text
        return draw.reply(text, answer.finish)


def _body(draw: Draw, prefix: str) -> dict[str, Any]:
    request = draw.request
    turns = [turn.model_dump() for turn in request.messages]
    body: dict[str, Any] = {
        "model": request.model,
        "messages": turns,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_completion_tokens": request.max_tokens,
        "seed": draw.seed,
        "stream": True,
    }
    if request.stop:
        body["stop"] = list(request.stop)
    if prefix:
        turns.append({"role": "assistant", "content": prefix})
        # vLLM must be told; llama.cpp does so anyway.
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return body
