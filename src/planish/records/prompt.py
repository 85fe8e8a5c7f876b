"""What a model is asked to continue or to answer."""

import hashlib
from typing import Self

from pydantic import model_validator

from planish.records.record import Record


class Message(Record):
    """One turn of a conversation."""

    role: str
    content: str


class Prompt(Record):
    """Either `text` to be continued, or `messages` to be answered, or `token_ids` to go on from.

    `id` is a hash of the content, filled in where it is empty. `tag` is a control token before the text; it is no
    part of the content, so a tagged prompt keeps its id and can be compared with the untagged one.
    """

    id: str = ""
    text: str | None = None
    messages: tuple[Message, ...] | None = None
    token_ids: tuple[int, ...] | None = None
    constraints: tuple[str, ...] = ()
    tag: str | None = None
    source: str = ""

    @model_validator(mode="after")
    def _fill_id(self) -> Self:
        if [self.text, self.messages, self.token_ids].count(None) != 2:
            raise ValueError("a prompt has either text or messages or token ids")
        if not self.id:
            kept = {"text", "messages", "constraints"} if self.token_ids is None else {"token_ids"}
            content = self.model_dump_json(include=kept)
            object.__setattr__(self, "id", hashlib.blake2b(content.encode(), digest_size=8).hexdigest())
        return self

    @property
    def content(self) -> str:
        """Everything that the prompt says, for looking up what a text copied from it."""
        return self.text if self.text is not None else "\n".join(turn.content for turn in self.messages or ())


def writing_prompt(line: str, source: str = "") -> Prompt:
    """A prompt that asks for a text in one user turn."""
    return Prompt(messages=(Message(role="user", content=line),), source=source)


def opening(line: str, source: str = "") -> Prompt:
    """A prompt that is the beginning of a text, to be continued."""
    return Prompt(text=line, source=source)
