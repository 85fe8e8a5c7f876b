"""In which columns of a row its text and its prompt stand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any, NamedTuple

from planish.errors import DataError
from planish.text.corpus.document import Document
from planish.text.corpus.mending import mended

Row = Mapping[str, Any]

# Where a text may stand, likeliest first; the value is a text or a list of turns.
TEXT_COLUMNS = (
    *("text", "generation", "completion", "response", "output", "content", "story", "body", "chosen", "answer"),
    *("messages", "conversations"),
)
PROMPT_COLUMNS = ("prompt", "instruction", "question", "query", "input")
WRITER_ROLES = ("assistant", "gpt", "model")
ASKER_ROLES = ("user", "human")

LISTED_CHARS = 400

NO_TEXT = "without a text"
NOT_A_STRING = "text is not a string"
EMPTY = "empty"
FAILED = "failed when it was written"


class Named(NamedTuple):
    """The columns that the user names."""

    text: str | None = None
    prompt: str | None = None


class Columns(NamedTuple):
    """The columns that are read. `status` is the one in which planish says which of its generations failed."""

    text: str
    prompt: str | None
    status: str | None

    def names(self) -> list[str]:
        """All of them."""
        return list(dict.fromkeys(column for column in self if column is not None))

    def document(self, row: Row, left_out: Counter[str]) -> Document | None:
        """The document in a row; None where there is none, and the reason is counted."""
        if self.status is not None and row.get(self.status) == "failed":
            left_out[FAILED] += 1
            return None
        text, asked = _exchange(row.get(self.text))
        if not isinstance(text, str):
            left_out[NO_TEXT if text is None else NOT_A_STRING] += 1
            return None
        text = mended(text, left_out)
        if not text.strip():
            left_out[EMPTY] += 1
            return None
        prompt = row.get(self.prompt) if self.prompt is not None else None
        if isinstance(prompt, list):
            prompt = _last_said(prompt, ASKER_ROLES)[0]
        if not isinstance(prompt, str):
            prompt = asked
        return Document(text, mended(prompt, left_out) if isinstance(prompt, str) else "")


def find_columns(head: Sequence[Row], source: str, named: Named) -> Columns:
    """The columns named, or the likeliest that the first rows have.

    Raises:
        DataError: there is no row, or no such column; those that there are are named.
    """
    if not head:
        raise DataError(f"{source} holds no row that can be read", "check the file; it needs a column with a text")
    present = dict.fromkeys(name for row in head for name in row)
    text_column, prompt_column = named
    for column, flag in ((text_column, "--text-column"), (prompt_column, "--prompt-column")):
        if column is not None and column not in present:
            raise DataError(
                f"{source} has no column {column!r}, but {_listed(present)}", f"name one of them: {flag} NAME"
            )
    if text_column is None:
        # A column may be there and hold something else in every row.
        filled = [name for name in TEXT_COLUMNS if any(_is_text(row.get(name)) for row in head)]
        text_column = next(iter([*filled, *(name for name in TEXT_COLUMNS if name in present)]), None)
    if text_column is None:
        raise DataError(
            f"{source} has no column that is known to hold texts, but {_listed(present)}",
            "name the one with the texts: --text-column NAME",
        )
    if prompt_column is None:
        prompt_column = next((name for name in PROMPT_COLUMNS if name in present and name != text_column), None)
    is_own = {"prompt_id", "status"} <= present.keys()
    return Columns(text_column, prompt_column, "status" if is_own else None)


def _exchange(value: Any) -> tuple[Any, Any]:
    """The text in a value and what it answers: of turns, the last of the writer and the last that asked before it."""
    if not isinstance(value, list) or not all(isinstance(turn, Mapping) for turn in value):
        return value, None
    text, before = _last_said(value, WRITER_ROLES)
    return text, _last_said(before, ASKER_ROLES)[0]


def _last_said(turns: Sequence[Any], roles: Sequence[str]) -> tuple[Any, Sequence[Any]]:
    """The content of the last turn by one of these roles, and the turns before it."""
    for at in range(len(turns) - 1, -1, -1):
        turn = turns[at]
        if isinstance(turn, Mapping) and turn.get("role", turn.get("from")) in roles:
            return turn.get("content", turn.get("value")), turns[:at]
    return None, []


def _is_text(value: Any) -> bool:
    text, _ = _exchange(value)
    return isinstance(text, str) and bool(text.strip())


def _listed(columns: Mapping[str, None]) -> str:
    return shorten(", ".join(columns), LISTED_CHARS) or "none at all"
