"""Whole texts as rows for a `DataLoader`, and which of them are learned from and read together."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch.utils.data import Dataset

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.train.passes import Passes, PathSize

Columns = Mapping[str, list[int]]


class TextRow(NamedTuple):
    """What a trainer is given of a row, and the texts that are read of it, their prompt included."""

    columns: Columns
    texts: Sequence[Sequence[int]]

    @property
    def longest(self) -> int:
        """The tokens of the longest text."""
        return max(map(len, self.texts))

    @property
    def tokens(self) -> int:
        """What is read of it alone, padding included."""
        return len(self.texts) * self.longest


class TextRows(Dataset[Columns]):
    """Rows, and in which order they are read."""

    def __init__(self, rows: Sequence[TextRow], passes: Passes) -> None:
        self.passes = passes
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: int) -> Columns:
        return self._rows[at].columns

    def set_epoch(self, epoch: int) -> None:
        """The order of the rows is another in each epoch."""
        self.passes.epoch = epoch

    def shortest(self) -> Columns:
        """The row that is soonest read."""
        return min(self._rows, key=lambda row: row.longest).columns


def row_passes(
    tokens: Sequence[int], step_rows: int, pass_tokens: int, epochs: int, processes: int, seed: int
) -> Passes:
    """Passes over rows of so many tokens each, in as few steps of `step_rows` or fewer as there can be, all alike."""
    steps = -(-len(tokens) // step_rows)
    # All rows count the same; with a point a step each, a step of as many points as there are rows is one of `steps`.
    sizes = [PathSize(each, points=steps) for each in tokens]
    return Passes(sizes, len(tokens), pass_tokens, epochs, processes, seed)


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
