"""An OpenAI-compatible server on loopback that writes what a test wants, and fails when a test wants it to."""

import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What may stand after these ids, by probability; the likeliest is written.
Model = Callable[[Sequence[int]], Mapping[int, float]]
HANG_S = 0.6


# The end of a text, for the tokenizer of `tiny`.
STOP = 2


class FakeServer(ThreadingHTTPServer):
    """Each completion takes the next of `faults`, and then `usual`; None is none.

    A number is a status; `hang` answers too late, `drop` breaks off after a token, `garbage` is no JSON, `plain` has
    no log-probabilities, `pieces` no ids, `echo` refuses and says the key back; `stop` and `length` end the text with
    its third token; `die` is the last that is ever heard.
    """

    daemon_threads = True

    def __init__(self, model: Model, faults: Sequence[int | str | None], usual: int | str | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model = model
        self.faults = list(faults)
        self.usual = usual
        self.bodies: list[dict[str, Any]] = []
        self.listing: dict[str, Any] = {"data": [{"id": "fake", "owned_by": "llamacpp"}]}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def events(self, body: Mapping[str, Any], fault: str | None) -> Iterator[dict[str, Any]]:
        written: list[int] = []
        bias = {int(token): value for token, value in body.get("logit_bias", {}).items()}
        for number in range(body["max_tokens"]):
            candidates = self.model([*body["prompt"], *written])
            token = max({*candidates, *bias}, key=lambda each: math.log(candidates.get(each, 1e-9)) + bias.get(each, 0))
            top = sorted({**{token: 1e-9}, **candidates}.items(), key=lambda pair: -pair[1])[: body["logprobs"]]
            entries = [{"id": each, "logprob": math.log(p)} for each, p in top]
            chosen = {"id": token, "logprob": math.log(candidates.get(token, 1e-9)), "top_logprobs": entries}
            if fault == "pieces":
                del chosen["id"]
            written.append(token)
            finish = "stop" if token == STOP else "length" if number + 1 == body["max_tokens"] else None
            if fault in ("stop", "length") and number == 2:
                finish = fault
            yield {
                "text": "x",
                "logprobs": None if fault == "plain" else {"content": [chosen]},
                "finish_reason": finish,
            }
            if finish is not None:
                return


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server: FakeServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._say(200, json.dumps(self.server.listing))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        fault = self.server.faults.pop(0) if self.server.faults else self.server.usual
        with suppress(BrokenPipeError, ConnectionResetError):
            self._answer(body, fault)

    def _answer(self, body: dict[str, Any], fault: int | str | None) -> None:
        if isinstance(fault, int):
            self._say(fault, json.dumps({"error": {"message": "not\nnow"}}))
        elif fault == "echo":
            self._say(401, json.dumps({"error": f"no such key: {self.headers['Authorization']}"}))
        elif fault == "die":
            self.server.socket.close()
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            if fault == "hang":
                time.sleep(HANG_S)
            self._stream(body, fault)

    def _stream(self, body: dict[str, Any], fault: str | None) -> None:
        self.send_response(200)
        # In chunks, so that whoever reads can tell an end from a break.
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if fault == "garbage":
            self._chunk("data: {not json\n\n")
        for number, event in enumerate(self.server.events(body, fault)):
            if fault == "drop" and number == 1:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._chunk(f"data: {json.dumps({'choices': [event]})}\n\n")
        self._chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def fake_server(
    model: Model, faults: Sequence[int | str | None] = (), usual: int | str | None = None
) -> Iterator[FakeServer]:
    server = FakeServer(model, faults, usual)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
