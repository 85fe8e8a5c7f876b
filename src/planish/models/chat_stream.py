"""What a server streams while it answers a conversation."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from planish.errors import ModelError
from planish.models.token_stream import error_text


class Answer(NamedTuple):
    """What was written, and whether it ended by itself or ran out of tokens."""

    text: str
    finish: Literal["stop", "length"]


def read_answer(lines: Iterable[str], is_cancelled: Callable[[], bool]) -> Iterator[Answer]:
    """Read the lines of a stream of chat completions: one answer.

    Raises:
        ModelError: the server reports an error or says what cannot be understood, the answer is not whole, or nobody
            waits for it any more.
    """
    text = ""
    for line in lines:
        if is_cancelled():
            raise ModelError("nobody waits for the answer any more")
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        piece, finish = _read_event(data)
        text += piece
        if finish is not None:
            yield _whole(text, finish)
            return
    raise ModelError("the server's answer has no end", "see whether it speaks OpenAI's protocol, and what its log says")


def _read_event(data: str) -> tuple[str, str | None]:
    """The text of an event, and what ended the answer with it."""
    try:
        event = json.loads(data)
        if "error" in event:
            raise ModelError(f"the server reports: {error_text(event)}", "its log says more")
        if not event["choices"]:  # such as one with nothing but counts
            return "", None
        choice: Any = event["choices"][0]
        return (choice.get("delta") or {}).get("content") or "", choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"the server's answer is no stream of a chat: {data[:120]!r}", "check the URL") from error


def _whole(text: str, finish: str) -> Answer:
    if finish not in ("stop", "length"):
        raise ModelError(f"the answer was ended by {finish!r}", "ask in other words, or ask another model")
    if not text and finish == "length":
        raise ModelError("the answer has no text", "a model that thinks first needs more tokens")
    # JSON can spell halves of characters, which no file can hold.
    sound = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Answer(sound, "length" if finish == "length" else "stop")
