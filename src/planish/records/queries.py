"""What people asked assistants: the first turns of conversations, from files of many makers."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from planish.errors import DataError
from planish.records.prompt_file import rows_in_file
from planish.records.prompt_row import USER_ROLES, Row

# Where a row may hold a query, fullest first; `input` is what an instruction is about.
TURNS, TEXTS, MATERIAL = ("messages", "conversations"), ("instruction", "query", "prompt", "text"), "input"
FIELDS = (*TURNS, *TEXTS, MATERIAL)


class Queries(NamedTuple):
    """The distinct queries of a file, in order, and how many rows were skipped, by the reason."""

    texts: list[str]
    skipped: Counter[str]


def read_queries(
    path: Path, least_characters: int = 5, most_characters: int = 300, limit: int | None = None
) -> Queries:
    """Read the queries in a file: a text a line, or rows of JSON, CSV or Parquet.

    A row has turns (messages with role and content, or ShareGPT's conversations with from and value), or a text as
    instruction (with its input), query, prompt or text. Only what a person said first counts: a conversation that a
    model begins is skipped. So is whatever is malformed, too short or too long.

    Raises:
        DataError: the file is not there, cannot be read, or holds no query at all.
    """
    texts: dict[str, None] = {}
    skipped = Counter[str]()
    for _, given in rows_in_file(path, FIELDS):
        if len(texts) == limit:
            break
        try:
            text = _query(given)
            _check_length(text, least_characters, most_characters)
        except ValueError as error:
            skipped[str(error)] += 1
            continue
        if text in texts:
            skipped["seen before"] += 1
        texts.setdefault(text)
    if not texts:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in skipped.most_common()) or "it is empty"
        raise DataError(f"{path} holds no query: {reasons}", f"give rows with one of {', '.join((*TURNS, *TEXTS))}")
    return Queries(list(texts), skipped)


def _query(given: str | Row | ValueError) -> str:
    if isinstance(given, str):
        return given.strip()
    if isinstance(given, ValueError):
        raise ValueError("malformed") from given
    for field in (*TURNS, *TEXTS):
        value = given.get(field)
        if isinstance(value, list):
            return _first_turn(value)
        if isinstance(value, str):
            material = given.get(MATERIAL) if field == "instruction" else None
            return "\n".join(part.strip() for part in (value, material) if isinstance(part, str) and part.strip())
    raise ValueError("no query")


def _first_turn(turns: list[Any]) -> str:
    """What the person said who began the conversation, after any system turn."""
    for turn in turns:
        if not isinstance(turn, Mapping):
            raise ValueError("malformed")
        speaker, text = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        if not isinstance(speaker, str) or not isinstance(text, str):
            raise ValueError("malformed")
        if speaker in USER_ROLES:
            return text.strip()
        if speaker != "system":
            raise ValueError("not begun by a person")
    raise ValueError("no query")


def _check_length(text: str, least: int, most: int) -> None:
    if len(text) < least:
        raise ValueError("too short")
    if len(text) > most:
        raise ValueError("too long")
