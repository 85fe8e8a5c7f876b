"""Rows of a data set on the Hugging Face Hub."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from planish.errors import DataError, MissingPackageError
from planish.text.corpus.columns import Row


class HubRows(NamedTuple):
    """The train split of a data set, streamed."""

    name: str

    def rows(self, left_out: Counter[str], columns: Sequence[str] = ()) -> Iterator[Row]:
        """See `Rows`.

        Raises:
            DataError: there is no such data set, or it cannot be reached or read.
            MissingPackageError: the package `datasets` is not installed.
        """
        try:
            from datasets import load_dataset
        except ImportError as error:
            raise MissingPackageError("datasets") from error
        try:
            table = load_dataset(self.name, split="train", streaming=True)
            yield from table.select_columns(list(columns)) if columns else table
        # The network, the Hub and the readers of a dozen formats each fail in their own ways.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DataError(
                f"there is no file {self.name}, and as a data set of the Hub it cannot be read: {reason}",
                "check the name and the connection; what is private needs HF_TOKEN",
            ) from error
