"""What clients get: OpenAI's answers, whole or in chunks."""

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence

from planish.models.tokens import Tokens
from planish.records.trace import Trace
from planish.steer.row import Row
from planish.steer.server.logprobs import chat_logprobs, completion_logprobs, token_text
from planish.steer.server.worker import News

Choice = dict[str, object]


class Answer(ABC):
    """The answer to one request. `model` is the name that the client gets back."""

    prefix: str
    whole_kind: str
    chunk_kind: str

    def __init__(self, model: str, tokens: Tokens, *, with_logprobs: bool) -> None:
        self._frame = {"id": f"{self.prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self._tokens = tokens
        self._with_logprobs = with_logprobs

    def whole(self, texts: Sequence[News], rows: Sequence[Row], usage: object) -> dict[str, object]:
        """Everything at once."""
        choices = [
            {"index": index, "finish_reason": row.finish, **self.told(news)}
            for index, (news, row) in enumerate(zip(texts, rows, strict=True))
        ]
        return {**self._frame, "object": self.whole_kind, "choices": choices, "usage": usage}

    def chunk(self, choices: Sequence[Choice], **usage: object) -> dict[str, object]:
        """A part of a stream."""
        return {**self._frame, "object": self.chunk_kind, "choices": choices, **usage}

    def opening(self, index: int) -> list[Choice]:
        """What a stream says of a row before its text."""
        return []

    @abstractmethod
    def told(self, news: News) -> dict[str, object]:
        """A whole text, in a choice."""

    @abstractmethod
    def piece(self, index: int, news: News, start: int, finish: str | None) -> Choice:
        """A piece of a text that begins `start` characters into it."""

    def _traces(self, news: News) -> list[Trace]:
        """Without the token that ends a text: it is no part of it."""
        return [trace for trace in news.traces if trace.token not in self._tokens.end_ids]

    def _text_of(self, token: int) -> str:
        return token_text(self._tokens, token)


class ChatAnswer(Answer):
    """`/v1/chat/completions`."""

    prefix, whole_kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def opening(self, index: int) -> list[Choice]:
        """Who speaks."""
        delta = {"role": "assistant", "content": ""}
        return [{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}]

    def told(self, news: News) -> dict[str, object]:
        """A turn of the assistant's."""
        message = {"role": "assistant", "content": news.text, "refusal": None}
        return {"message": message, "logprobs": self._logprobs(news)}

    def piece(self, index: int, news: News, start: int, finish: str | None) -> Choice:
        """More of the turn."""
        delta = {"content": news.text} if news.text or news.traces else {}
        return {"index": index, "delta": delta, "logprobs": self._logprobs(news), "finish_reason": finish}

    def _logprobs(self, news: News) -> dict[str, object] | None:
        return chat_logprobs(self._traces(news), self._text_of) if self._with_logprobs else None


class CompletionAnswer(Answer):
    """`/v1/completions`."""

    prefix, whole_kind, chunk_kind = "cmpl", "text_completion", "text_completion"

    def told(self, news: News) -> dict[str, object]:
        """The text."""
        return {"text": news.text, "logprobs": self._logprobs(news, 0)}

    def piece(self, index: int, news: News, start: int, finish: str | None) -> Choice:
        """More of the text."""
        return {"index": index, "text": news.text, "logprobs": self._logprobs(news, start), "finish_reason": finish}

    def _logprobs(self, news: News, start: int) -> dict[str, object] | None:
        return completion_logprobs(self._traces(news), self._text_of, start) if self._with_logprobs else None
