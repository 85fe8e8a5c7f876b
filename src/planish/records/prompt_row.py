"""The prompt in a row of a data set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from planish.errors import UsageError
from planish.records.prompt import Message, Prompt, opening

# Where a row may hold a prompt, fullest first; the value is a text or a list of turns.
PROMPT_FIELDS = ("messages", "conversations", "prompt", "text")
USER_ROLES = ("user", "human")
PLACE = "{prompt}"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PromptShape:
    """What is made of a text or a row.

    `system` is a turn in front, instead of the row's own. `template` is put around the text, where it says `{prompt}`.
    With `as_opening` the text is the beginning of a text to be continued, not a request. Only the `first_words` of the
    text are used.

    Raises:
        UsageError: the template has no `{prompt}`, a system turn is to stand before an opening, or no word is left.
    """

    system: str | None = None
    template: str | None = None
    as_opening: bool = False
    first_words: int | None = None

    def __post_init__(self) -> None:
        if self.template is not None and PLACE not in self.template:
            raise UsageError(f"the template {self.template!r} has no {PLACE}", f"write {PLACE} where the text goes")
        if self.as_opening and self.system is not None:
            raise UsageError("an opening is continued, not answered: it has no system turn", "leave one of them out")
        if self.first_words is not None and self.first_words < 1:
            raise UsageError(f"the first {self.first_words} words of a prompt are nothing", "keep 1 word or more")

    def prompt(self, given: str | Row, source: str) -> Prompt:
        """The prompt in a text or a row. A row of planish's own (`Prompt`) is taken as it is.

        Raises:
            ValueError: the row holds no prompt; the message is the reason in one line.
        """
        if isinstance(given, str):
            return self._from_turns([Message(role="user", content=given)], source)
        if not is_own(given):
            return self._from_turns(_opening_turns(given), source)
        if (self.system, self.template, self.first_words) != (None, None, None):
            raise ValueError("a row of planish's own is taken as it is: no system turn, template or cut goes with it")
        return Prompt.model_validate(given)

    def _from_turns(self, turns: list[Message], source: str) -> Prompt:
        *system, request = turns
        text = request.content if self.first_words is None else first_words(request.content, self.first_words)
        if self.template is not None:
            text = self.template.replace(PLACE, text)
        if self.as_opening:
            return opening(text, source)
        if self.system is not None:
            system = [Message(role="system", content=self.system)]
        return Prompt(messages=(*system, Message(role="user", content=text)), source=source)


def is_own(fields: Iterable[str]) -> bool:
    """Whether rows with these fields are `Prompt` rows; every one that planish wrote has `constraints`."""
    return {"constraints"} <= set(fields) <= Prompt.model_fields.keys()


def first_words(text: str, count: int) -> str:
    """The beginning of a text up to the end of its `count`-th word; the spaces between are kept."""
    words = text.split(maxsplit=count)
    return text.removesuffix(words[count]).rstrip() if len(words) > count else text


def _opening_turns(row: Row) -> list[Message]:
    """The system turns before the first user turn, and that."""
    field = _field(row)
    turns: list[Message] = []
    for turn in _turns(row[field], field):
        message = _message(turn, field)
        if message.role in USER_ROLES:
            if not message.content.strip():
                raise ValueError(f"{field} is empty")
            return [*turns, Message(role="user", content=message.content)]
        if message.role == "system":
            turns.append(message)
    raise ValueError(f"{field} has no user turn")


def _field(row: Row) -> str:
    present = [field for field in PROMPT_FIELDS if field in row]
    if not present:
        raise ValueError(f"none of the fields {', '.join(PROMPT_FIELDS)} among {', '.join(row) or 'no fields'}")
    return next((field for field in present if row[field] is not None), present[0])


def _turns(value: Any, field: str) -> list[Any]:
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if isinstance(value, list):
        return value
    raise ValueError(f"{field} is neither a text nor a list of turns")


def _message(turn: Any, field: str) -> Message:
    """A turn as most data sets write it (role, content) or as ShareGPT does (from, value)."""
    for role, content in (("role", "content"), ("from", "value")):
        if isinstance(turn, Mapping) and isinstance(turn.get(role), str) and isinstance(turn.get(content), str):
            return Message(role=turn[role], content=turn[content])
    raise ValueError(f"{field} has a turn without the texts role and content, or from and value")
