"""The one thread that decodes, and how texts get from it to the clients that wait for them."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import NamedTuple

import torch

from planish.errors import PlanishError
from planish.records.trace import Trace
from planish.steer.batch_size import is_out_of_memory
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.server.refusal import Refusal

# When a client may come again that found the queue full.
RETRY_AFTER_S = 2

logger = logging.getLogger(__name__)


class News(NamedTuple):
    """What a row wrote since it was last asked, never to be taken back; `traces` are of the tokens that begin in it."""

    text: str
    traces: Sequence[Trace]
    is_last: bool


class Reply:
    """One row on its way to its client. It keeps what the client has not taken yet: at most one text."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.is_ended = False
        self._refusal: Refusal | None = None
        self._text = ""
        self._traces: list[Trace] = []
        self._told_chars = 0
        self._told_tokens = 0
        self._is_last_taken = False
        self._lock = threading.Lock()

    def tell(self) -> bool:
        """Put up what is settled by now; whether there is anything new. For the thread that decodes."""
        chars, tokens = settled(self.row)
        is_ended = self.row.finish is not None
        if not is_ended and (chars, tokens) == (self._told_chars, self._told_tokens):
            return False
        with self._lock:
            self._text += self.row.text[self._told_chars : chars]
            self._traces += self.row.traces[self._told_tokens : tokens]
            self._told_chars, self._told_tokens = chars, tokens
            self.is_ended = is_ended
            if self.row.finish == "failed":
                self._refusal = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, self.row.error)
        return True

    def refuse(self, refusal: Refusal) -> None:
        """End it with an error."""
        with self._lock:
            if not self.is_ended:
                self._refusal, self.is_ended = refusal, True

    def take(self) -> News | None:
        """What has come since; None where nothing has. For the client.

        Raises:
            Refusal: the row could not be written to its end.
        """
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            if self._is_last_taken or not (self._text or self._traces or self.is_ended):
                return None
            news = News(self._text, self._traces, self.is_ended)
            self._text, self._traces, self._is_last_taken = "", [], self.is_ended
            return news


class Job:
    """The rows of one request. Made in the event loop of its client."""

    def __init__(self, rows: Sequence[Row], is_streamed: bool) -> None:
        self.replies = [Reply(row) for row in rows]
        self.is_streamed = is_streamed
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()

    def ring(self) -> None:
        """Tell the client to look. For any thread."""
        self._loop.call_soon_threadsafe(self._arrived.set)

    async def news(self) -> AsyncIterator[tuple[int, News]]:
        """What each row has to say, by its number, until all have ended.

        Raises:
            Refusal: a row could not be written to its end.
        """
        talking = list(range(len(self.replies)))
        while talking:
            await self._arrived.wait()
            self._arrived.clear()
            for index in list(talking):
                news = self.replies[index].take()
                if news is not None:
                    yield index, news
                    if news.is_last:
                        talking.remove(index)


class Worker:
    """Decodes the rows of all clients in one batch, in a thread of its own.

    A text does not depend on what else is in the batch, so clients do not feel each other but in speed. An error in a
    step ends the rows that were in it, and nothing else.
    """

    def __init__(self, engine: Engine, rows: int, most_waiting: int) -> None:
        self.rows = rows
        self._engine = engine
        self._batch = engine.batch()
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Job, Reply]] = deque()
        self._decoding: list[tuple[Job, Reply]] = []
        self._gone: set[Job] = set()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="planish decoding", daemon=True)
        self._thread.start()

    @property
    def in_hand(self) -> int:
        """How many rows wait or are being decoded."""
        with self._changed:
            return len(self._waiting) + len(self._decoding)

    def submit(self, job: Job) -> None:
        """Have a request decoded when its turn comes.

        Raises:
            Refusal: too many wait already, or the server is about to end.
        """
        with self._changed:
            if self._is_closing:
                raise _ending()
            if len(self._waiting) + len(job.replies) > self._most_waiting:
                raise Refusal(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"{len(self._waiting)} texts are waiting already; come again in {RETRY_AFTER_S} s",
                    code="queue_full",
                    headers={"Retry-After": str(RETRY_AFTER_S)},
                )
            self._waiting.extend((job, reply) for reply in job.replies)
            self._changed.notify()

    def drop(self, job: Job) -> None:
        """Give up whatever of a request is not finished."""
        with self._changed:
            if any(not reply.is_ended for reply in job.replies):
                self._gone.add(job)
                self._changed.notify()

    def close(self) -> None:
        """Stop at once; what is not finished is refused."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()
        self._end([*self._decoding, *self._waiting], _ending())

    @torch.no_grad()
    def _run(self) -> None:
        while self._has_work():
            try:
                self._admit()
                self._step()
                continue
            except Exception as error:  # whatever it was, the other clients must not suffer
                logger.exception("a step failed")
                failure, is_memory = _failure(error), isinstance(error, RuntimeError) and is_out_of_memory(error)
            # Only out here is the memory free again that the error's frames held.
            self._start_again(failure, is_memory)

    def _has_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._decoding or self._is_closing)
            return not self._is_closing

    def _admit(self) -> None:
        """Let those go whose clients have gone, and let in as many as there is room for."""
        with self._changed:
            leaving = [reply.row for job, reply in self._decoding if job in self._gone]
            self._decoding = [entry for entry in self._decoding if entry[0] not in self._gone]
            self._waiting = deque(entry for entry in self._waiting if entry[0] not in self._gone)
            self._gone.clear()
            room = min(self.rows - len(self._decoding), len(self._waiting))
            joining = [self._waiting.popleft() for _ in range(room)]
            self._decoding += joining
        if leaving:
            self._batch.leave(leaving)
        if joining:
            self._batch.join([reply.row for _, reply in joining])

    def _step(self) -> None:
        if self._batch.rows:
            self._batch.step()
        for job, reply in self._decoding:
            if (job.is_streamed or reply.row.finish is not None) and reply.tell():
                job.ring()
        with self._changed:
            self._decoding = [entry for entry in self._decoding if not entry[1].is_ended]

    def _start_again(self, failure: Refusal, is_memory: bool) -> None:
        """Give up all rows in hand. After memory has run out, fewer are decoded at once from now on."""
        if is_memory:
            self.rows = max(1, self.rows // 2)
            logger.warning("memory ran out: %d texts at once from now on", self.rows)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        with self._changed:
            failed, self._decoding = self._decoding, []
        self._end(failed, failure)
        self._batch = self._engine.batch()

    def _end(self, entries: Sequence[tuple[Job, Reply]], refusal: Refusal) -> None:
        for job, reply in entries:
            reply.refuse(refusal)
            job.ring()


def settled(row: Row) -> tuple[int, int]:
    """How many characters and traces of a row will never be taken back."""
    if row.finish is not None:
        return len(row.text), len(row.traces)
    return row.settled_chars, min(row.settled, len(row.traces))


def _failure(error: Exception) -> Refusal:
    message = error.message if isinstance(error, PlanishError) else f"decoding failed: {type(error).__name__}"
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, message)


def _ending() -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is about to end", code="shutting_down")
