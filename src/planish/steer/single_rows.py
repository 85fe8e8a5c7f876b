"""What `ColumnCache` is for other models, for one whose rows cannot share a pass: each row is read alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.steer.cache import ColumnCache


@dataclass
class _Row:
    """Some tokens, and the model's memory of them; after a rewind it has none, and they are read anew."""

    tokens: list[int]
    states: dict[str, Any] = field(default_factory=dict)


class SingleRows:
    """The same methods as `ColumnCache`, at the price of one pass a row, and of the whole text after a rewind."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self._rows: list[_Row] = []

    @property
    def lengths(self) -> list[int]:
        """How many tokens each row has."""
        return [len(row.tokens) for row in self._rows]

    def add_rows(self, prompts: Sequence[Sequence[int]], longest: int | None = None) -> None:
        """Put new rows below the present ones; their tokens are read with those that follow."""
        self._rows += [_Row([*prompt]) for prompt in prompts]

    def feed(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Read these tokens, row by row, and return the last hidden state of each row, (B, D).

        Rows may get different numbers of tokens; one that gets none returns a meaningless state.
        """
        return torch.stack([self._read(row, more) for row, more in zip(self._rows, tokens, strict=True)])

    def _read(self, row: _Row, more: Sequence[int]) -> Tensor:
        if not more:
            return torch.zeros(self.model.width, dtype=self.model.model.dtype, device=self.model.device)
        unread = more if row.states else [*row.tokens, *more]
        row.tokens += more
        hidden, row.states = self.model.hidden_alone(unread, row.states)
        return hidden[-1]

    def rewind(self, row: int, length: int) -> None:
        """Forget all but the first `length` tokens of a row."""
        if length < len(self._rows[row].tokens):
            self._rows[row] = _Row(self._rows[row].tokens[:length])

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Make these the rows, in this order; one may be kept more than once."""
        # Memory cannot be shared: the model changes it in place.
        first = [row not in rows[:at] for at, row in enumerate(rows)]
        self._rows = [
            self._rows[row] if is_first else _Row([*self._rows[row].tokens])
            for row, is_first in zip(rows, first, strict=True)
        ]

    def wipe(self, row: int) -> None:
        """Nothing: nobody comes into a row's place."""


def rows_of(model: LanguageModel) -> ColumnCache | SingleRows:
    """Where a batch keeps what this model has read."""
    return SingleRows(model) if model.alone_because else ColumnCache(model)
