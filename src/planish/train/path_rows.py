"""Paths as rows for a `DataLoader`, and what a model is given of some of them at once.

Axes: `P` points, `W` watched places, `N` = P + W, `D` width.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from planish.errors import DataError
from planish.records.preference import TokenPreferences
from planish.train.ftpo_loss import Points, pack_points
from planish.train.passes import Passes, PathSize, packed


class PathRow(NamedTuple):
    """A path, the places between its points that are watched, and the reference's states at points and places, (N, D).

    The state of a place is the one from which the token behind it is predicted.
    """

    path: TokenPreferences
    watched: Sequence[int]
    states: Tensor | None


class PathRows(Dataset[PathRow]):
    """Some paths, of each at most `most_watched` places between its points."""

    def __init__(self, paths: Sequence[TokenPreferences | Mapping[str, Any]], most_watched: int = 0) -> None:
        self.paths = [_checked(TokenPreferences.model_validate(path)) for path in paths]
        self.sizes = [PathSize(len(path.token_ids), len(path.points)) for path in self.paths]
        self.states: list[Tensor] = []
        self.passes: Passes | None = None
        self._watched = [_between(path, most_watched) for path in self.paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: int) -> PathRow:
        return PathRow(self.paths[at], self._watched[at], self.states[at] if self.states else None)

    def set_epoch(self, epoch: int) -> None:
        """The order of the paths is another in each epoch."""
        if self.passes is not None:
            self.passes.epoch = epoch

    def alike(self, most_tokens: int) -> list[list[int]]:
        """All paths, those of like length together, at most so many tokens with padding."""
        return packed(range(len(self)), self.sizes, most_tokens)


def collated(rows: Sequence[PathRow]) -> dict[str, Tensor]:
    """Some rows as tensors: those of the points first, then the watched places. Of no rows, one token and its place.

    Returns: `input_ids` (B, T), padded on the right; `rows` and `positions` (N,), the places; `reference` (N, D) where
    it is known; `rejected`, `chosen` and `is_chosen`, see `Points`; `labels`, by which a trainer counts the points.
    """
    points = [[point.position - 1 for point in row.path.points] for row in rows]
    watched = [row.watched for row in rows]
    at = [(number, place) for kind in (points, watched) for number, places in enumerate(kind) for place in places]
    numbers, positions = zip(*(at or [(0, 0)]), strict=True)
    found = {
        "input_ids": pad_sequence([torch.tensor(ids) for ids in [row.path.token_ids for row in rows] or [(0,)]], True),
        "rows": torch.tensor(numbers),
        "positions": torch.tensor(positions),
        **pack_points([point for row in rows for point in row.path.points])._asdict(),
    }
    found["labels"] = found["shift_labels"] = found["rejected"]
    states = [row.states for row in rows if row.states is not None]
    if states:
        parts = [each.split([len(own), len(each) - len(own)]) for each, own in zip(states, points, strict=True)]
        found["reference"] = torch.cat([part[kind] for kind in (0, 1) for part in parts])
    return found


def points_of(inputs: Mapping[str, Tensor]) -> Points:
    """The points of what was `collated`."""
    return Points(*(inputs[name] for name in Points._fields))


def _checked(path: TokenPreferences) -> TokenPreferences:
    """The path, if a token of it stands before every point.

    Raises:
        DataError: a point is somewhere else.
    """
    for point in path.points:
        if not 0 < point.position <= len(path.token_ids):
            raise DataError(
                f"the path {path.generation_id!r} of {len(path.token_ids)} tokens has a point at {point.position}",
                "a position is that of the rejected token among token_ids, from 1 on",
            )
    return path


def _between(path: TokenPreferences, most: int) -> list[int]:
    """Places spread over what was written, none of them a point's."""
    points = {point.position - 1 for point in path.points}
    free = [
        place for place in range(path.prompt_length - 1, len(path.token_ids) - 1) if place not in points and place >= 0
    ]
    return free[:: max(1, -(-len(free) // most))] if most else []
