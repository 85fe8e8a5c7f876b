"""A server that speaks OpenAI's protocol: what it can do, and what it writes."""

import hashlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from threading import Lock
from typing import Any

from planish.errors import ModelError
from planish.models.connection import Connection
from planish.models.token_stream import NO_LOGPROBS, Served, Written, read_events

# vLLM gives no more, unless it is told to at its start.
CANDIDATES = 20
# Fewer are no choice.
LEAST_CANDIDATES = 2
COMPLETIONS = "/v1/completions"
NEEDED = (
    "planish needs token ids in, ids and log-probabilities out: vLLM and llama.cpp do that; or use the local engine"
)


class Endpoint:
    """Completes token ids, and says with every token what else could have stood there.

    The key is what the environment holds in PLANISH_API_KEY, or else in OPENAI_API_KEY; it is shown nowhere. May be
    used by many threads at the same time.

    Args:
        url: of the server, with or without /v1.
        model: by the name that the server has for it; by default the first one that it serves.
        timeout_s: how long to wait for the next token.
        attempts: how often to ask when there is no answer, or one that may pass (429, 5xx).
        is_alive: says whether the server's process is there, where that is known.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        timeout_s: float = 120.0,
        attempts: int = 5,
        is_alive: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.model = model
        self.context: int | None = None
        self.streamed = CANDIDATES
        self._connection = Connection(url, timeout_s, attempts, is_alive, sleep)
        self._is_checked = False
        self._checking = Lock()

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, model={self.model!r})"

    @property
    def url(self) -> str:
        """The server's address, without /v1."""
        return self._connection.url

    @property
    def model_hash(self) -> str:
        """Tells apart models by the server's name for them: their weights cannot be seen from here."""
        return hashlib.blake2b(f"served {self.model}".encode(), digest_size=8).hexdigest()

    def check(self) -> None:
        """Ask the server whether it is there, and the first time what it can do; fills in what was not known.

        That is `model`; `context`, in tokens, where the server says it; and `streamed`, how many candidates come with
        each token.

        Raises:
            ModelError: it cannot be reached, or does not take token ids and give back ids with log-probabilities.
        """
        with self._checking:
            self._connection.forget_failure()
            self._choose_model()
            if self._is_checked:
                return
            try:
                shown = self.candidates([0], any_id=0)
            except ModelError as error:
                raise ModelError(error.message, NEEDED) from error
            if len(shown) < LEAST_CANDIDATES:
                raise ModelError(*NO_LOGPROBS)
            self._is_checked = True

    def stream(self, prompt_ids: Sequence[int], settings: Mapping[str, Any]) -> Generator[Served]:
        """Complete a prompt. Close what this returns, and the server stops.

        A stream that breaks off after its first token just ends, without `Ended`: ask for the rest.

        Args:
            prompt_ids: everything before the first token to be written.
            settings: fields of OpenAI's protocol, and of the servers' own.

        Raises:
            ModelError: the server refuses, does not answer, or its answer cannot be understood.
        """
        body = {
            **({"model": self.model} if self.model else {}),
            "prompt": list(prompt_ids),
            "stream": True,
            "logprobs": self.streamed,
            # vLLM's way of giving ids, and llama.cpp's of counting tokens; each passes over the other's.
            "return_tokens_as_token_ids": True,
            "timings_per_token": True,
            **settings,
        }
        return self._connection.post(COMPLETIONS, body, read_events)

    def candidates(self, prompt_ids: Sequence[int], any_id: int) -> Mapping[int, float]:
        """The log-probabilities of the likeliest next tokens.

        `any_id` is what the server is made to write: it shows a distribution only with a token, and llama.cpp not with
        every token.
        """
        settings = {"max_tokens": 1, "temperature": 0, "logit_bias": {str(any_id): 100}, "logprobs": CANDIDATES}
        with closing(self.stream(prompt_ids, settings)) as answers:
            first = next(answers)
        if not isinstance(first, Written):
            raise ModelError(f"{self.url} does not show the token {any_id}", "decode with the local engine")
        return first.candidates

    def _choose_model(self) -> None:
        try:
            served = {str(each["id"]): each for each in self._connection.get("/v1/models")["data"]}
        except (LookupError, TypeError) as error:
            raise ModelError(
                f"{self.url} does not say which models it serves", "check the URL, and its port"
            ) from error
        if self.model is None:
            self.model = next(iter(served), "")
        if served and self.model not in served:
            raise ModelError(f"{self.url} serves no model {self.model!r}", f"it serves: {', '.join(served)}")
        # Where vLLM says it, and where llama.cpp does.
        about = served.get(self.model, {})
        context = about.get("max_model_len") or (about.get("meta") or {}).get("n_ctx")
        self.context = context if isinstance(context, int) else None
        # vLLM takes more time for 20 candidates of a small model than for the token itself, llama.cpp hardly any.
        self.streamed = CANDIDATES if about.get("owned_by") == "llamacpp" else 0
