"""Whole texts as rows for a `DataLoader`, and which of them are learned from and read together."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch.utils.data import Dataset

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.train.passes import Passes, PathSize

Columns = Mapping[str, list[int]]


class TextRow(NamedTuple):
    """What a trainer is given in one step: mostly a single row; and the texts that are read, their prompts included."""

    columns: Sequence[Columns]
    texts: Sequence[Sequence[int]]

    @property
    def longest(self) -> int:
        """The tokens of the longest text."""
        return max(map(len, self.texts))

    @property
    def tokens(self) -> int:
        """What is read of it alone, padding included."""
        return len(self.texts) * self.longest

    @property
    def size(self) -> PathSize:
        """What it costs, and how many rows it is."""
        return PathSize(self.tokens, len(self.columns))


class TextRows(Dataset[Sequence[Columns]]):
    """Rows, and in which order they are read."""

    def __init__(self, rows: Sequence[TextRow], passes: Passes) -> None:
        self.passes = passes
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: int) -> Sequence[Columns]:
        return self._rows[at].columns

    def set_epoch(self, epoch: int) -> None:
        """The order of the rows is another in each epoch."""
        self.passes.epoch = epoch

    def shortest(self) -> Columns:
        """The row that is soonest read."""
        return min(self._rows, key=lambda row: row.longest).columns[0]


def row_passes(
    sizes: Sequence[PathSize], step_rows: int, pass_tokens: int, epochs: int, processes: int, seed: int
) -> Passes:
    """Passes over rows, which are the points, in as few steps of about `step_rows` as there can be, all alike.

    Where none of them belong together, no step has more.
    """
    rows = sum(size.points for size in sizes)
    steps = -(-rows // step_rows)
    # All rows count the same; with a point a step each, a step of as many points as there are rows is one of `steps`.
    weighed = [PathSize(size.tokens, size.points * steps) for size in sizes]
    return Passes(weighed, rows, pass_tokens, epochs, processes, seed)


def readable(model: LanguageModel, rows: Sequence[TextRow]) -> list[TextRow]:
    """The rows of which no text is longer than the model reads.

    Raises:
        DataError: a token is none of the model's.
    """
    for row in rows:
        ids = {token for text in row.texts for token in text}
        if not 0 <= min(ids) <= max(ids) < model.vocabulary:
            wrong = max(ids) if max(ids) >= model.vocabulary else min(ids)
            raise DataError(
                f"a text has the token {wrong}, and {model.name!r} has {model.vocabulary}",
                "train the model that wrote the texts, or one with its tokenizer",
            )
    return [row for row in rows if row.longest <= model.context]
