"""What a model was asked, and what it answered."""

import hashlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field

from planish.records.prompt import Message
from planish.records.record import Record


class Request(Record):
    """A conversation to be answered by a model, so often, with draws of this kind.

    `prefix` is what the reply is to begin with. `template` names the wording of the request and its version.
    """

    model: str
    template: str = ""
    messages: tuple[Message, ...] = Field(min_length=1)
    prefix: str = ""
    samples: int = Field(default=1, ge=1)
    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=1)
    stop: tuple[str, ...] = ()
    seed: int = 0

    @property
    def key(self) -> str:
        """A hash of all of it but how many samples: whoever asks for more of them keeps those that are there."""
        content = self.model_dump_json(exclude={"samples"})
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    def draws(self) -> Iterator["Draw"]:
        """Each of its samples."""
        return (Draw(self, sample) for sample in range(self.samples))


class Draw(NamedTuple):
    """One sample of a request: the reply number `sample`, from 0."""

    request: Request
    sample: int

    @property
    def place(self) -> tuple[str, int]:
        """What the reply is filed under."""
        return self.request.key, self.sample

    @property
    def seed(self) -> int:
        """A seed of its own, in 31 bits: all that some servers take."""
        name = f"{self.request.key} {self.sample}"
        return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest()) >> 1

    def reply(self, text: str, finish: Literal["stop", "length"]) -> "Reply":
        """What was answered; the text begins with the request's prefix, if it was begun with that."""
        return Reply(key=self.request.key, sample=self.sample, template=self.request.template, text=text, finish=finish)

    def failure(self, error: str) -> "Reply":
        """That there is no answer, and why."""
        return self.reply("", "stop").model_copy(update={"finish": "failed", "status": "failed", "error": error})


class Reply(Record):
    """What a model answered to one draw, whole: with the prefix, where the server was made to begin with it.

    `template` is the request's, so that a file of replies can be read by people.
    """

    key: str
    sample: int = Field(ge=0)
    template: str = ""
    text: str
    finish: Literal["stop", "length", "failed"]
    status: Literal["ok", "failed"] = "ok"
    error: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """What it is filed under."""
        return self.key, self.sample
