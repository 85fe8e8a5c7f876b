"""What a server streams while it completes a text: tokens by id, each with what could have stood there instead."""

import json
import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from planish.errors import ModelError

NO_IDS = (
    "the server gives no token ids, only pieces of text, and the same text can be other tokens",
    "llama.cpp and vLLM give them; or decode with the local engine",
)
NO_LOGPROBS = (
    "the server gives no log-probabilities, and bans need to know what else could have been written",
    "start llama.cpp or vLLM instead; or decode with the local engine",
)


class Written(NamedTuple):
    """A token that the server wrote, and the log-probabilities of the likeliest ones there, its own included."""

    id: int
    candidates: Mapping[int, float]


class Lost(NamedTuple):
    """The server wrote so many `tokens` here that it does not show.

    llama.cpp leaves out the tokens of a character in several tokens, all but the one that completes it.
    """

    tokens: int


class Ended(NamedTuple):
    """The server is done: `length` if as many tokens were written as were asked for or fit, else `stop`."""

    finish: str


Served = Written | Lost | Ended


def read_events(lines: Iterable[str]) -> Generator[Served]:
    """Read the lines of a stream of completions, up to its end or to where tokens are lost.

    A stream that breaks off has no `Ended`.

    Raises:
        ModelError: the server reports an error, shows no ids or log-probabilities, or says what cannot be understood.
    """
    shown = 0
    for line in lines:
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        try:
            event = json.loads(data)
            if "error" in event:
                raise ModelError(f"the server reports: {error_text(event)}", "its log says more")
            choice = event["choices"][0]
            tokens = list(_tokens(choice))
            counted, finish = _counted(event), choice.get("finish_reason")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ModelError(
                f"the server's answer is no stream of completions: {data[:120]!r}", "check the URL"
            ) from error
        if counted is not None and counted > shown + len(tokens):
            yield Lost(counted - shown - len(tokens))
            return
        shown += len(tokens)
        yield from tokens
        if finish is not None:
            if not shown:
                raise ModelError(*NO_LOGPROBS)
            yield Ended(finish)
            return


def error_text(answer: Any) -> str:
    """What a server's error says, wherever in the answer it says it."""
    for key in ("error", "message", "detail"):
        while isinstance(answer, Mapping) and key in answer:
            answer = answer[key]
    return answer if isinstance(answer, str) else json.dumps(answer)


def _tokens(choice: Mapping[str, Any]) -> Iterator[Written]:
    logprobs = choice.get("logprobs")
    if not logprobs:
        if choice.get("text"):
            raise ModelError(*NO_LOGPROBS)
    elif "content" in logprobs:
        yield from map(_llama_token, logprobs["content"])
    else:
        for token, logprob, top in zip(
            logprobs["tokens"], logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True
        ):
            candidates = {_vllm_id(name): _finite(value) for name, value in top.items()}
            yield Written(_vllm_id(token), candidates | {_vllm_id(token): _finite(logprob)})


def _llama_token(entry: Mapping[str, Any]) -> Written:
    if "id" not in entry:
        raise ModelError(*NO_IDS)
    candidates = {top["id"]: _finite(top["logprob"]) for top in entry["top_logprobs"]}
    return Written(entry["id"], candidates | {entry["id"]: _finite(entry["logprob"])})


def _vllm_id(name: str) -> int:
    kind, _, number = name.partition(":")
    if kind != "token_id":
        raise ModelError(*NO_IDS)
    return int(number)


def _finite(logprob: float | None) -> float:
    """The first token of a text has none in some servers, and JSON knows no infinity."""
    return -math.inf if logprob is None else float(logprob)


def _counted(event: Mapping[str, Any]) -> int | None:
    """How many tokens the server says it has written, where it says so."""
    said = (event.get("timings") or {}).get("predicted_n", (event.get("usage") or {}).get("completion_tokens"))
    return None if said is None else int(said)
