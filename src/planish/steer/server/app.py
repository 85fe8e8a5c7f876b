"""The HTTP routes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from planish.steer.server.answers import Answer, ChatAnswer, Choice, CompletionAnswer
from planish.steer.server.guard import Door, Guard
from planish.steer.server.refusal import Refusal
from planish.steer.server.service import Service, usage_of
from planish.steer.server.wire import ChatRequest, CompletionRequest, TextRequest, read_request
from planish.steer.server.worker import Job

# As other servers call it in their logs; the standard has no number for it.
CLIENT_GONE = 499
DONE = "data: [DONE]\n\n"


class Api(NamedTuple):
    """One of the two ways to ask for texts."""

    request: type[TextRequest]
    answer: type[Answer]


CHAT, COMPLETION = Api(ChatRequest, ChatAnswer), Api(CompletionRequest, CompletionAnswer)


def guarded_app(service: Service, door: Door) -> Guard:
    """The server as an ASGI application."""
    started = int(time.time())

    async def models(_: Request) -> Response:
        context = service.engine.model.context
        entry = {"id": service.name, "object": "model", "created": started, "owned_by": "planish"}
        return JSONResponse({"object": "list", "data": [{**entry, "max_model_len": context}]})

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "texts_in_hand": service.worker.in_hand})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    routes = [
        Route("/v1/chat/completions", _answered(service, CHAT), methods=["POST"]),
        Route("/v1/completions", _answered(service, COMPLETION), methods=["POST"]),
        Route("/v1/models", models),
        Route("/health", health),
    ]
    refused = {Refusal: _refused, HTTPException: _not_found, ClientDisconnect: _gone, Exception: _broken}
    return Guard(Starlette(routes=routes, exception_handlers=refused, lifespan=lifespan), door)  # type: ignore[arg-type]


def _answered(service: Service, api: Api) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(http: Request) -> Response:
        request = read_request(api.request, await _body(http, service.limits.body_bytes))
        job = await service.begin(request)
        answer = api.answer(service.name, service.engine.model, with_logprobs=request.tops is not None)
        drop = partial(service.worker.drop, job)
        if request.stream:
            return _EventStream(_events(job, answer, request), drop)
        try:
            return await _unless_gone(http, _whole(job, answer, request))
        finally:
            drop()

    return endpoint


async def _body(http: Request, most: int) -> bytes:
    """The body of a request, read no further than allowed."""
    # A page of another site can send anything else without asking first.
    if http.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json")
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > most:
            message = f"a request has at most {most} bytes"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, headers={"Connection": "close"})
    return bytes(body)


async def _whole(job: Job, answer: Answer, request: TextRequest) -> Response:
    # Where nothing is streamed, the last news of a row is its only one.
    texts = {index: news async for index, news in job.news()}
    rows = [reply.row for reply in job.replies]
    told = [texts[index] for index in range(len(rows))]
    return JSONResponse(answer.whole(told, rows, usage_of(rows, request.n)))


async def _unless_gone(http: Request, answering: Awaitable[Response]) -> Response:
    """Wait for an answer, but no longer than the client does."""

    async def gone() -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass

    answer, leave = asyncio.ensure_future(answering), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((answer, leave), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        for task in (answer, leave):
            task.cancel()
            with suppress(asyncio.CancelledError, Refusal):
                await task


async def _events(job: Job, answer: Answer, request: TextRequest) -> AsyncIterator[str]:
    with_usage = request.stream_options.include_usage
    # OpenAI's clients look for the field in every chunk once they asked for it.
    no_usage = {"usage": None} if with_usage else {}

    def event(*choices: Choice) -> str:
        return _event(answer.chunk(choices, **no_usage))

    for index in range(len(job.replies)):
        for choice in answer.opening(index):
            yield event(choice)
    told_chars = [0] * len(job.replies)
    try:
        async for index, news in job.news():
            finish = job.replies[index].row.finish if news.is_last else None
            yield event(answer.piece(index, news, told_chars[index], finish))
            told_chars[index] += len(news.text)
    except Refusal as refusal:
        yield _event(refusal.body)
        return
    if with_usage:
        yield _event(answer.chunk([], usage=usage_of([reply.row for reply in job.replies], request.n)))
    yield DONE


def _event(content: object) -> str:
    return f"data: {json.dumps(content)}\n\n"


class _EventStream(StreamingResponse):
    """Server-sent events; however the stream ends, `on_end` is called then."""

    def __init__(self, events: AsyncIterator[str], on_end: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


async def _refused(_: Request, refusal: Refusal) -> Response:
    return refusal.response()


async def _not_found(http: Request, error: HTTPException) -> Response:
    return Refusal(HTTPStatus(error.status_code), f"{http.method} {http.url.path}: {error.detail}").response()


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)  # nobody reads it


async def _broken(http: Request, error: Exception) -> Response:
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, f"the server failed: {type(error).__name__}").response()
