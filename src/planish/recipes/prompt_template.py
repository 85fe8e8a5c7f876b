"""The wordings in which models are asked: a file each, in `prompts/`, with a version that is a hash of its text."""

import hashlib
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from planish.records.prompt import Message
from planish.records.reply import Request


class PromptTemplate:
    """A wording with places for values."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text

    @cached_property
    def version(self) -> str:
        """Its name with a hash of its text: another wording is another request."""
        return f"{self.name}@{hashlib.blake2b(self._text.encode(), digest_size=4).hexdigest()}"

    def request(self, model: str, values: dict[str, Any], **settings: Any) -> Request:
        """A request in this wording, of one user turn.

        Args:
            model: is asked.
            values: for each place of the wording; a missing one is an error.
            settings: any other field of `Request`.
        """
        turn = Message(role="user", content=self._compiled.render(values))
        return Request(model=model, template=self.version, messages=(turn,), **settings)

    @cached_property
    def _compiled(self) -> Any:
        wordings = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        return wordings.from_string(self._text)


@cache
def prompt_template(name: str) -> PromptTemplate:
    """The wording in `prompts/<name>.txt.jinja`."""
    return PromptTemplate(name, _read(f"{name}.txt.jinja"))


def seed_instructions() -> list[str]:
    """Instructions of our own that small programs can check, for a model to think of others."""
    return [line for line in _read("seed_instructions.txt").splitlines() if line]


def _read(name: str) -> str:
    return files("planish.recipes").joinpath("prompts", name).read_text(encoding="utf-8")
