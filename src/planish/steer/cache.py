"""The keys and values of one model for a batch of rows. Going back costs nothing."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from planish.models.attention_mask import additive_mask
from planish.models.language_model import LanguageModel

# So many tokens of prompts are read at once: what lies between the layers takes memory too.
MOST_READ = 8192


class ColumnCache:
    """The token at position p of a row stands in column p of it; `lengths` says how many columns of each row count.

    What stands behind them is never looked at and will be written over: so a rewind is a change of a length, and
    neither holes nor padding nor sliding windows need a special case.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.lengths: list[int] = []
        self._states = _States()

    def add_rows(self, prompts: Sequence[Sequence[int]], longest: int | None = None) -> None:
        """Put new rows below the present ones, with these tokens already read; equal prompts are read once.

        None of them will be longer than `longest`, if that is known: so no room is made for more.
        """
        if longest is not None:
            self._states.longest = max(longest, self._states.longest)
        first = len(self.lengths)
        distinct = {prompt: at for at, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
        self.lengths += [0] * len(prompts)
        lengths = [len(prompt) for prompt in distinct]
        most = max(1, MOST_READ // max(1, *lengths))
        for start in range(0, len(lengths), most):
            self._read(first + start, list(distinct)[start : start + most])
        self._gather([*range(first), *(first + distinct[tuple(prompt)] for prompt in prompts)])

    def feed(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Read these tokens, row by row, and return the last hidden state of each row, (B, D).

        Rows may get different numbers of tokens; one that gets none returns a meaningless state.
        """
        return self._read(0, tokens)

    def rewind(self, row: int, length: int) -> None:
        """Forget all but the first `length` tokens of a row."""
        self.lengths[row] = min(length, self.lengths[row])

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Make these the rows, in this order; one may be kept more than once. Only those that move are copied."""
        self._gather(rows)

    def wipe(self, row: int) -> None:
        """Leave nothing of a row that broke: what is no number would reach whoever comes into its place."""
        self._states.wipe(row)

    def _gather(self, rows: Sequence[int]) -> None:
        moved = [(to, row) for to, row in enumerate(rows) if to != row]
        self.lengths = [self.lengths[row] for row in rows]
        if moved and self._states.layers:
            there, here = torch.tensor(moved, device=self.model.device).T
            self._states.copy(here, there, max(self.lengths))

    def _read(self, first: int, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Read tokens in the rows from `first` on."""
        device = self.model.device
        counts = [len(row) for row in tokens]
        width = max(1, *counts)
        starts = self.lengths[first : first + len(tokens)]
        # What fills a shorter row up stands behind its end, where nobody looks.
        padded = [[*row, *[0] * (width - len(row))] for row in tokens]
        packed = torch.tensor([[start, *row] for start, row in zip(starts, padded, strict=True)], device=device)
        positions = packed[:, :1] + torch.arange(width, device=device)
        self._states.prepare(slice(first, first + len(tokens)), positions, starts, width)
        hidden = self.model.hidden(
            packed[:, 1:], positions, lambda window: self._mask(positions, starts, window), self._states
        )
        self.lengths[first : first + len(tokens)] = [start + count for start, count in zip(starts, counts, strict=True)]
        if width == 1:
            return hidden[:, 0]
        last = torch.tensor(counts, device=device).sub(1).clamp(min=0)
        return hidden[torch.arange(len(tokens), device=device), last]

    def _mask(self, positions: Tensor, starts: Sequence[int], window: int | None) -> Tensor | None:
        """What each new token may look at, to be added to the scores: (B, T) to (B or 1, 1, T, C); None for all."""
        columns, width = max(starts) + positions.shape[1], positions.shape[1]
        if min(starts) == max(starts):
            if width == 1 and (window is None or columns <= window):
                return None
            positions = positions[:1]
        back = positions[:, :, None] - torch.arange(columns, device=positions.device)
        seen = back >= 0
        if window is not None:
            seen &= back < window
        return additive_mask(seen[:, None], self.model.model.dtype)


class _States(Cache):
    """What the layers of a model write into and read from."""

    layers: list[Any]

    def __init__(self) -> None:
        make_layer: Any = lambda: _Layer(self)  # noqa: E731 - the library asks for a class and only calls it
        super().__init__(layer_class_to_replicate=make_layer)
        self.rows = slice(0)
        self.columns = 0
        self.width = 0
        self.longest = 0
        self.place: tuple[Any, ...] = ()

    def prepare(self, rows: slice, positions: Tensor, starts: Sequence[int], width: int) -> None:
        """Say where the next tokens belong: in these rows, at these positions (B, T)."""
        self.rows, self.columns, self.width = rows, max(starts) + width, width
        if min(starts) == max(starts):
            self.place = (rows, slice(None), slice(starts[0], starts[0] + width))
        else:
            numbers = torch.arange(rows.start, rows.stop, device=positions.device)
            self.place = (numbers[:, None], slice(None), positions)

    def copy(self, sources: Tensor, targets: Tensor, columns: int) -> None:
        """Put the first columns of some rows into others."""
        for layer in self.layers:
            layer.make_room(int(targets.max()) + 1, columns)
            for states in (layer.keys, layer.values):
                states[targets, :, :columns] = states[sources, :, :columns]

    def wipe(self, row: int) -> None:
        """Put zeros into a row."""
        for layer in self.layers:
            for states in (layer.keys, layer.values):
                states[row] = 0


class _Layer(CacheLayerMixin):
    """Keys and values, (rows, heads, columns, width) each, with room for more rows and columns than are in use."""

    is_sliding = False
    keys: Any
    values: Any

    def __init__(self, states: _States) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.states = states

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write new states down, and return all that stand in these rows."""
        if self.keys is None:
            self.lazy_initialization(key_states, value_states)
        states = self.states
        self.make_room(states.rows.stop, states.columns)
        by_number = isinstance(states.place[0], Tensor)
        self.keys[states.place] = key_states.transpose(1, 2) if by_number else key_states
        self.values[states.place] = value_states.transpose(1, 2) if by_number else value_states
        return self.keys[states.rows, :, : states.columns], self.values[states.rows, :, : states.columns]

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Begin without any room."""
        self.keys, self.values = (
            states.new_empty(0, states.shape[1], 0, states.shape[3]) for states in (key_states, value_states)
        )
        self.is_initialized = True

    def make_room(self, rows: int, columns: int) -> None:
        """Have at least so many rows and columns; twice the columns where they may be needed: growing is a copy."""
        has_rows, heads, has_columns, _ = self.keys.shape
        if rows <= has_rows and columns <= has_columns:
            return
        rows, longest = max(rows, has_rows), self.states.longest or 2 * columns
        columns = has_columns if columns <= has_columns else max(columns, min(2 * columns, longest))
        for name in ("keys", "values"):
            states = getattr(self, name)
            room = states.new_zeros(rows, heads, columns, states.shape[3])
            room[:has_rows, :, :has_columns] = states
            setattr(self, name, room)

    def get_seq_length(self) -> int:
        """How many columns stood before the newest."""
        return self.states.columns - self.states.width

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """How many columns a mask covers, and from which on."""
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        """No limit."""
        return -1
