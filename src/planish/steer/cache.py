"""The keys and values of one model for a batch of rows. Going back costs nothing: the columns are only marked dead."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache

from planish.models.attention_mask import additive_mask
from planish.models.language_model import LanguageModel

DEAD = -1
# Dead columns are looked at for nothing, but squeezing them out copies everything that lives.
MOST_DEAD = 0.25


class ColumnCache:
    """Every token stands in a column of its own; `positions` (B, C) says where in its row, or `DEAD`.

    Attention goes by position and never by column, so holes, padding and sliding windows need no special case.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.positions = torch.empty(0, 0, dtype=torch.long, device=model.device)
        self._states: Any = DynamicCache()

    @property
    def lengths(self) -> Tensor:
        """How many tokens of each row are in the cache, (B,)."""
        return (self.positions != DEAD).sum(1)

    def add_rows(self, prompts: Sequence[Sequence[int]]) -> None:
        """Put new rows below the present ones, with these tokens already read."""
        joining = ColumnCache(self.model)
        joining.positions = self.positions.new_empty(len(prompts), 0)
        joining.feed(prompts)
        if len(self.positions):
            self._join(joining)
        else:
            self.positions, self._states = joining.positions, joining._states

    def feed(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Read these tokens, row by row, and return the last hidden state of each row, (B, D).

        Rows may get different numbers of tokens; one that gets none returns a meaningless state.
        """
        width = max(1, *(len(row) for row in tokens))
        device = self.model.device
        ids = torch.zeros(len(tokens), width, dtype=torch.long, device=device)
        fresh = torch.full_like(ids, DEAD)
        for index, (row, length) in enumerate(zip(tokens, self.lengths.tolist(), strict=True)):
            if row:
                ids[index, -len(row) :] = torch.tensor(row, device=device)
                fresh[index, -len(row) :] = torch.arange(length, length + len(row), device=device)
        self.positions = torch.cat([self.positions, fresh], 1)
        hidden = self.model.hidden(ids, fresh.clamp(min=0), lambda window: self._mask(fresh, window), self._states)
        return hidden[:, -1]

    def rewind(self, row: int, length: int) -> None:
        """Forget all but the first `length` tokens of a row."""
        positions = self.positions[row]
        positions[positions >= length] = DEAD

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Drop all other rows, and squeeze out dead columns where they have become too many."""
        if len(rows) < len(self.positions):
            index = torch.tensor(rows, dtype=torch.long, device=self.model.device)
            self.positions = self.positions[index]
            self._change(lambda states: states[index])
        columns = int(self.lengths.max()) if rows else 0
        if columns < (1 - MOST_DEAD) * self.positions.shape[1]:
            self._squeeze(columns)

    def _squeeze(self, columns: int) -> None:
        """Keep the last `columns` columns, with everything that lives in them."""
        # A stable sort moves the living to the right and keeps their order.
        order = (self.positions != DEAD).long().argsort(dim=1, stable=True)[:, self.positions.shape[1] - columns :]
        self.positions = self.positions.gather(1, order)
        self._change(
            lambda states: states.gather(2, order[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3]))
        )

    def _widen(self, columns: int) -> None:
        """Put dead columns on the left until there are so many."""
        more = columns - self.positions.shape[1]
        if more:
            self.positions = pad(self.positions, (more, 0), value=DEAD)
            self._change(lambda states: pad(states, (0, 0, more, 0)))

    def _join(self, below: "ColumnCache") -> None:
        columns = max(self.positions.shape[1], below.positions.shape[1])
        self._widen(columns)
        below._widen(columns)
        self.positions = torch.cat([self.positions, below.positions])
        joining = iter([states for layer in below._states.layers for states in (layer.keys, layer.values)])
        self._change(lambda states: torch.cat([states, next(joining)]))

    def _change(self, how: Callable[[Tensor], Tensor]) -> None:
        """Do the same to the keys and the values of each layer, (B, heads, C, width) each."""
        for layer in self._states.layers:
            layer.keys, layer.values = how(layer.keys), how(layer.values)

    def _mask(self, queries: Tensor, window: int | None) -> Tensor:
        """What each new token may look at, to be added to the scores: (B, T) to (B, 1, T, C)."""
        back = queries[:, :, None] - self.positions[:, None, :]
        seen = (self.positions != DEAD)[:, None, :] & (back >= 0)
        if window is not None:
            seen &= back < window
        return additive_mask(seen[:, None], self.model.model.dtype)
