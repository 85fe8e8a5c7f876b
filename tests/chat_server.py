"""An OpenAI-compatible chat server on loopback that says what a test wants, such as what was recorded before."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fake_server import FakeServer
from planish.models.reply_store import ReplyStore
from planish.records.reply import Request

# What is said to the body of a request.
Speaker = Callable[[Mapping[str, Any]], str]


class ChatServer(FakeServer):
    """Takes the faults of a `FakeServer`, and these: `filtered` ends the answer so, `endless` breaks it off.

    It goes on from a last turn of the assistant; with `says_prefix_back` it repeats that first.
    """

    def __init__(self, speaker: Speaker, faults: Sequence[int | str | None], usual: int | str | None) -> None:
        super().__init__(lambda _: {}, faults, usual)
        self.speaker = speaker
        self.says_prefix_back = False

    def events(self, body: Mapping[str, Any], fault: str | None) -> Iterator[dict[str, Any]]:
        text = self.speaker(body)
        last = body["messages"][-1]
        if self.says_prefix_back and last["role"] == "assistant":
            text = last["content"] + text
        yield {"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}
        for start in range(0, len(text), 3):
            yield {"index": 0, "delta": {"content": text[start : start + 3]}, "finish_reason": None}
        if fault != "endless":
            finish = {"filtered": "content_filter", "length": "length"}.get(fault or "", "stop")
            yield {"index": 0, "delta": {}, "finish_reason": finish}


def replaying(store: ReplyStore, requests: Iterable[Request]) -> Speaker:
    """A speaker that says what a store holds for each draw of some requests, after its prefix; draws go by seeds."""
    said: dict[int, str] = {}
    for draw in (draw for request in requests for draw in request.draws()):
        found = store.find(draw)
        assert found is not None
        said[draw.seed] = found.text.removeprefix(draw.request.prefix)
    return lambda body: said[body["seed"]]


@contextmanager
def chat_server(
    speaker: Speaker, faults: Sequence[int | str | None] = (), usual: int | str | None = None
) -> Iterator[ChatServer]:
    server = ChatServer(speaker, faults, usual)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
