"""The keys and values of one model for a batch of rows. Going back costs nothing: the columns are only marked dead."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

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
        self._layers = DynamicCache()

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
            columns = max(self.positions.shape[1], joining.positions.shape[1])
            self._join(joining._padded(columns), columns)
        else:
            self.positions, self._layers = joining.positions, joining._layers

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
        hidden = self.model.hidden(ids, fresh.clamp(min=0), lambda window: self._mask(fresh, window), self._layers)
        return hidden[:, -1]

    def rewind(self, row: int, length: int) -> None:
        """Forget all but the first `length` tokens of a row."""
        positions = self.positions[row]
        positions[positions >= length] = DEAD

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Drop all other rows, and squeeze out dead columns where they have become too many."""
        index = torch.tensor(rows, dtype=torch.long, device=self.model.device)
        if len(rows) < len(self.positions):
            self.positions = self.positions[index]
            for layer in self._layers.layers:
                layer.keys, layer.values = layer.keys[index], layer.values[index]
        columns = int(self.lengths.max()) if rows else 0
        if columns < (1 - MOST_DEAD) * self.positions.shape[1]:
            self._squeeze(columns)

    def _squeeze(self, columns: int) -> None:
        # A stable sort moves the living to the right and keeps their order.
        order = (self.positions != DEAD).long().argsort(dim=1, stable=True)[:, -columns:] if columns else None
        if order is None:
            return
        self.positions = self.positions.gather(1, order)
        for layer in self._layers.layers:
            layer.keys, layer.values = (
                states.gather(2, order[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3]))
                for states in (layer.keys, layer.values)
            )

    def _padded(self, columns: int) -> "ColumnCache":
        """Dead columns on the left until there are so many."""
        more = columns - self.positions.shape[1]
        if more:
            self.positions = torch.nn.functional.pad(self.positions, (more, 0), value=DEAD)
            for layer in self._layers.layers:
                layer.keys, layer.values = (
                    torch.nn.functional.pad(states, (0, 0, more, 0)) for states in (layer.keys, layer.values)
                )
        return self

    def _join(self, other: "ColumnCache", columns: int) -> None:
        self._padded(columns)
        self.positions = torch.cat([self.positions, other.positions])
        for layer, joining in zip(self._layers.layers, other._layers.layers, strict=True):
            layer.keys = torch.cat([layer.keys, joining.keys])
            layer.values = torch.cat([layer.values, joining.values])

    def _mask(self, queries: Tensor, window: int | None) -> Tensor:
        """What each new token may look at, to be added to the scores: (B, T) to (B, 1, T, C)."""
        back = queries[:, :, None] - self.positions[:, None, :]
        seen = (self.positions != DEAD)[:, None, :] & (back >= 0)
        if window is not None:
            seen &= back < window
        dtype = self.model.model.dtype
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)[
            :, None
        ]
