"""Asking models so that every reply is kept: a finished run is done again without any model."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from planish.errors import DataError
from planish.models.reply_store import ReplyStore
from planish.records.reply import Draw, Reply, Request


class ReplySource(Protocol):
    """A model, here or behind a server."""

    def replies(self, draws: Sequence[Draw]) -> Iterator[Reply]:
        """One reply to each draw, in any order, each as soon as it is there."""


class Asker:
    """Answers requests from a store, and from a source what is missing there.

    Without a source a recorded run is replayed: what failed in it has failed again. With one, it is asked anew.
    """

    def __init__(self, store: ReplyStore, source: ReplySource | None = None) -> None:
        self.store = store
        self._source = source

    def ask(self, requests: Sequence[Request]) -> list[list[Reply]]:
        """The samples of each request, in order. What is asked for is written to the store as it comes.

        Raises:
            DataError: there is no source, and a reply is missing.
            ModelError: the source cannot answer any more.
        """
        missing = self._missing(requests)
        if missing and self._source is None:
            raise _not_recorded(missing)
        for reply in self._source.replies(missing) if missing and self._source else ():
            self.store.add([reply])
        return [[self._reply(draw) for draw in request.draws()] for request in requests]

    def _missing(self, requests: Sequence[Request]) -> list[Draw]:
        """The draws to ask for, each once."""
        draws = {draw.place: draw for request in requests for draw in request.draws()}
        return [draw for draw in draws.values() if self._is_missing(draw)]

    def _is_missing(self, draw: Draw) -> bool:
        reply = self.store.find(draw)
        return reply is None or (reply.status == "failed" and self._source is not None)

    def _reply(self, draw: Draw) -> Reply:
        return self.store.find(draw) or draw.failure("the model gave no reply")


def _not_recorded(missing: Sequence[Draw]) -> DataError:
    request = missing[0].request
    return DataError(
        f"this run was recorded without {len(missing)} of its replies, the first of them to "
        f"{request.template or 'a request'}: the model {request.model!r} is needed",
        "replay it with the settings that it was recorded with, or name the model or its server with --generator",
    )
