"""Writing so that it stays written: a file is there whole or not at all, also after a kill or a power cut."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from planish.errors import PlanishError, UsageError
from planish.runs.layout import resume_command

# Where a file is written before it takes its place; what is left of it after a kill is written anew.
PARTIAL = ".partial"
FULL = {errno.ENOSPC, errno.EDQUOT}
UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Say what a full disk means for the run in this folder.

    Raises:
        PlanishError: the disk is full.
    """
    try:
        yield
    except Exception as error:
        # Libraries that save models wrap the system's error in one of their own, and keep its words.
        is_full = isinstance(error, OSError) and error.errno in FULL
        if is_full or any(os.strerror(code) in str(error) for code in FULL):
            raise PlanishError(
                f"the disk of {folder} is full: what was finished so far is kept",
                f"free some space, then: {resume_command(folder)}",
            ) from error
        raise


@contextmanager
def explain_refusal(folder: Path) -> Iterator[None]:
    """Say what a disk that refuses to be written means for the run in this folder.

    Raises:
        PlanishError: the disk is full.
        UsageError: the folder cannot be written.
    """
    try:
        with explain_full_disk(folder):
            yield
    except OSError as error:
        if error.errno in UNWRITABLE:
            raise UsageError(
                f"{error.filename or folder} cannot be written: {error.strerror}", "give another folder with --out"
            ) from error
        raise


def replace_text(path: Path, text: str) -> None:
    """Put a whole file in place at once."""
    partial = path.with_name(path.name + PARTIAL)
    partial.unlink(missing_ok=True)
    append(partial, text.encode("utf-8"))
    partial.replace(path)
    sync(path.parent)


def append(path: Path, data: bytes) -> None:
    """Add to the end of a file; on return it is on the disk."""
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def truncate(path: Path, size: int) -> None:
    """Cut a file to its first `size` bytes; on return that is on the disk."""
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Make a folder with its parents, unless it is there."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file, or the list of names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Bring a folder and all that is in it to the disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def digest_of(data: bytes) -> str:
    """The hash that run folders use: BLAKE2b, 128 bits, hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def digest_of_file(path: Path) -> str:
    """`digest_of` for a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
