"""Preference points as other tools keep them: the FTPO rows of Auto-Antislop, one JSON object a line, all in text."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from planish.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
RAW = ("chosen_raw", "rejected_raw", "multi_chosen_raw", "multi_rejected_raw")


class FtpoStats(BaseModel):
    """What planish adds to a row: whether its path was abandoned, and whether a rejected token stands on it before."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    is_branch: bool | None = None
    after_rejected: bool | None = None


class FtpoRow(BaseModel):
    """A place where a token was rejected, and what could stand there instead.

    A `…_decoded` is what a token adds to the text, a `…_raw` its name in the vocabulary. `chosen_…` is one of
    `multi_chosen_…`. `generation_raw` is the part of the context that the model wrote.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    context_with_chat_template: str = Field(min_length=1)
    rejected_decoded: str = Field(min_length=1)
    multi_chosen_decoded: tuple[str, ...] | None = None
    chosen_decoded: str | None = None
    prompt_raw: str | None = None
    generation_raw: str | None = None
    chosen_raw: str | None = None
    rejected_raw: str | None = None
    multi_chosen_raw: tuple[str | None, ...] | None = None
    multi_rejected_decoded: tuple[str, ...] | None = None
    multi_rejected_raw: tuple[str | None, ...] | None = None
    validator: Any = None
    stats: FtpoStats | None = None

    @field_validator("prompt_raw", "generation_raw", *RAW, "multi_rejected_decoded", "stats", mode="wrap")
    @classmethod
    def _or_none(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        """A row is used without what else it says where that is said in another way."""
        try:
            return read(value)
        except ValidationError:
            return None

    @property
    def chosen(self) -> tuple[str, ...]:
        """Every chosen text, each once."""
        alone = (self.chosen_decoded,) if self.chosen_decoded else ()
        return tuple(dict.fromkeys((*(self.multi_chosen_decoded or ()), *alone)))

    @property
    def prompt_text(self) -> str | None:
        """The context up to what the model wrote; None where the row does not say."""
        context, written = self.context_with_chat_template, self.generation_raw
        return None if written is None or not context.endswith(written) else context.removesuffix(written)

    @property
    def rule(self) -> str:
        """What the rejected token broke; the token itself where the row does not say."""
        match self.validator:
            case {"rule": str(rule)} if rule:
                return rule
            case {"rule": [str(), *_] as parts}:
                return " ".join(map(str, parts))
            case {"class": str(kind)} if kind:
                return kind
        return self.rejected_decoded


class FtpoLine(NamedTuple):
    """A line of a file, from 1: its row, or why there is none."""

    number: int
    row: FtpoRow | None
    reason: str = ""


def ftpo_lines(path: Path) -> Iterator[FtpoLine]:
    """Every line that is not empty.

    Raises:
        DataError: the file is not there or cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(BYTE_ORDER_MARK).strip()
                if text:
                    yield _line(number, text)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the path") from error


def write_ftpo_rows(path: Path, rows: Iterable[FtpoRow]) -> int:
    """Write what `ftpo_lines` reads, and return how many rows that is.

    Raises:
        DataError: the file cannot be written.
    """
    count = 0
    try:
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(row.model_dump_json() + "\n")
                count += 1
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}", "name another place") from error
    return count


def _line(number: int, text: bytes) -> FtpoLine:
    try:
        return FtpoLine(number, FtpoRow.model_validate_json(text))
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            return FtpoLine(number, None, "no JSON object")
        return FtpoLine(number, None, f"{first['loc'][0]}: {first['msg']}")
