"""A stage whose product is a folder, such as a trained model: there whole, or made again from the start."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from planish.errors import DataError
from planish.runs.disk import digest_of_file, make_folder, replace_text, sync, sync_tree
from planish.runs.layout import DONE


class FolderDone(BaseModel):
    """What closes the stage. The hash is over names and contents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: int
    blake2b: str


class FolderStage:
    """`made/`, and `done.json` once it is whole; `making/` while it is not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = folder / "made"

    @property
    def is_closed(self) -> bool:
        """Whether the folder was made."""
        return (self.folder / DONE).is_file()

    def make(self, make: Callable[[Path], None]) -> None:
        """Have it made in an empty folder, and put that in place at once."""
        making = self.folder / "making"
        for left_over in (making, self.made):
            shutil.rmtree(left_over, ignore_errors=True)
        make_folder(making)
        make(making)
        sync_tree(making)
        making.rename(self.made)
        sync(self.folder)
        replace_text(self.folder / DONE, _describe(self.made).model_dump_json() + "\n")

    def check(self) -> None:
        """Compare what is there with what was made.

        Raises:
            DataError: a file was changed, added or removed.
        """
        try:
            done = FolderDone.model_validate_json((self.folder / DONE).read_bytes())
        except ValidationError:
            done = None
        if done != _describe(self.made):
            raise DataError(
                f"{self.made} was changed after its stage was finished",
                f"restore it, or delete {self.folder} and the stages after it",
            )


def _describe(folder: Path) -> FolderDone:
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.as_posix())
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        digest.update(f"{path.relative_to(folder).as_posix()}\n{digest_of_file(path)}\n".encode())
    return FolderDone(files=len(files), blake2b=digest.hexdigest())
