"""A stage whose product is rows: appended block by block, closed by a count and a hash."""

from collections.abc import Sequence
from pathlib import Path
from typing import Generic

from pydantic import BaseModel, ConfigDict, ValidationError

from planish.errors import DataError
from planish.records.record import Record, RecordType, read_records
from planish.runs.disk import append, digest_of, digest_of_file, make_folder, replace_text, truncate
from planish.runs.layout import DONE


class Block(BaseModel):
    """A line of the journal: how much of the rows file one complete block is, and its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    failed: int
    size_bytes: int
    blake2b: str


class RowsDone(BaseModel):
    """What closes the stage. `failed` counts the rows whose status says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    failed: int
    blake2b: str


class RowsStage(Generic[RecordType]):
    """`rows.jsonl`, its journal `blocks.jsonl`, and `done.json` once the stage is closed.

    A block counts when its line stands in the journal, which is written after the block's rows are on the disk.
    """

    def __init__(self, folder: Path, kind: type[RecordType]) -> None:
        self.folder = folder
        self.kind = kind
        self.blocks: list[Block] = []

    @property
    def is_closed(self) -> bool:
        """Whether every block was written."""
        return (self.folder / DONE).is_file()

    @property
    def figures(self) -> dict[str, int]:
        """How many blocks are complete, with how many rows, of which how many failed."""
        return {
            "blocks": len(self.blocks),
            "rows": sum(block.rows for block in self.blocks),
            "failed": sum(block.failed for block in self.blocks),
        }

    def recover(self) -> None:
        """Find the complete blocks, and cut off whatever a kill left behind them."""
        make_folder(self.folder)
        rows, journal = self.folder / "rows.jsonl", self.folder / "blocks.jsonl"
        rows.touch()
        journal.touch()
        self.blocks, rows_end, journal_end = [], 0, 0
        with rows.open("rb") as file:
            for line in journal.read_bytes().split(b"\n")[:-1]:
                block = _parse(line)
                if block is None or digest_of(file.read(block.size_bytes)) != block.blake2b:
                    break
                self.blocks.append(block)
                rows_end += block.size_bytes
                journal_end += len(line) + 1
        truncate(rows, rows_end)
        truncate(journal, journal_end)

    def append(self, records: Sequence[RecordType]) -> None:
        """Add one block; on return it is on the disk."""
        data = "".join(record.model_dump_json() + "\n" for record in records).encode("utf-8")
        append(self.folder / "rows.jsonl", data)
        block = Block(rows=len(records), failed=_failed(records), size_bytes=len(data), blake2b=digest_of(data))
        append(self.folder / "blocks.jsonl", f"{block.model_dump_json()}\n".encode())
        self.blocks.append(block)

    def close(self) -> None:
        """Say that there are no more blocks."""
        done = RowsDone(
            rows=self.figures["rows"],
            failed=self.figures["failed"],
            blake2b=digest_of_file(self.folder / "rows.jsonl"),
        )
        replace_text(self.folder / DONE, done.model_dump_json() + "\n")

    def read(self) -> list[RecordType]:
        """The rows of a closed stage.

        Raises:
            DataError: the rows are not those that were there when the stage was closed.
        """
        path = self.folder / "rows.jsonl"
        try:
            done = RowsDone.model_validate_json((self.folder / DONE).read_bytes())
        except ValidationError as error:
            raise _changed(self.folder / DONE, "it is not what closes a stage of rows") from error
        if not path.is_file():
            raise _changed(path, "it is not there")
        digest = digest_of_file(path)
        if digest != done.blake2b:
            raise _changed(path, f"its hash is {digest}, {DONE} says {done.blake2b}")
        rows = read_records(path, self.kind)
        if (len(rows), _failed(rows)) != (done.rows, done.failed):
            raise _changed(
                path, f"it has {len(rows)} rows, {_failed(rows)} failed; {DONE} says {done.rows} and {done.failed}"
            )
        return rows


def rows_so_far(folder: Path) -> int | None:
    """How many rows stand in the complete blocks of a stage, as its journal says; None where it has no rows."""
    journal = folder / "blocks.jsonl"
    if not journal.is_file():
        return None
    blocks = [_parse(line) for line in journal.read_bytes().split(b"\n")[:-1]]
    return sum(block.rows for block in blocks if block is not None)


def _parse(line: bytes) -> Block | None:
    try:
        return Block.model_validate_json(line)
    except ValidationError:
        return None


def _failed(rows: Sequence[Record]) -> int:
    return sum(getattr(row, "status", "ok") == "failed" for row in rows)


def _changed(path: Path, how: str) -> DataError:
    return DataError(
        f"{path} was changed after its stage was finished: {how}",
        f"restore it, or delete {path.parent} and the stages after it",
    )
