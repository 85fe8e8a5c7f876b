"""In which order paths are trained on, and which of them are read together."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import torch
from torch.utils.data import Sampler

from planish.models.alone import batch_bound_angles
from planish.models.language_model import LanguageModel

# Paths of so many steps are sorted by length, so that those read together need little padding.
SORTED_STEPS = 8


class PathSize(NamedTuple):
    """What a path costs, and what it brings."""

    tokens: int
    points: int


class Passes(Sampler[list[int]]):
    """For each optimiser step `passes_a_step` lists of paths, each to be read in one pass; in all of them every path.

    A step has about `step_points` points, whatever the passes and processes, so neither changes what is learned. No
    pass has more than `pass_tokens` tokens, padding included, but for a path that alone is longer. Where a step needs
    fewer passes than others, some are empty.
    """

    def __init__(
        self, sizes: Sequence[PathSize], step_points: int, pass_tokens: int, epochs: int, processes: int, seed: int
    ) -> None:
        self.epoch = 0
        self._sizes = sizes
        self._pass_tokens = pass_tokens
        self._seed = seed
        self.steps = steps_an_epoch(sizes, step_points)
        most = max(len(packed(step, sizes, pass_tokens)) for epoch in range(epochs) for step in self._in_order(epoch))
        self.passes_a_step = -(-most // processes) * processes

    def __len__(self) -> int:
        return self.steps * self.passes_a_step

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._in_order(self.epoch):
            passes = self._balanced(step)
            yield from [*passes, *[[]] * (self.passes_a_step - len(passes))]

    def _in_order(self, epoch: int) -> list[list[int]]:
        """The paths of each step."""
        draws = torch.Generator().manual_seed(self._seed + epoch)
        order = torch.randperm(len(self._sizes), generator=draws).tolist()
        drawn = self._cut(order, self.steps)
        steps: list[list[int]] = []
        for start in range(0, len(drawn), SORTED_STEPS):
            block = drawn[start : start + SORTED_STEPS]
            alike = sorted(chain.from_iterable(block), key=lambda at: self._sizes[at].tokens)
            steps += self._cut(alike, len(block))
        return [steps[at] for at in torch.randperm(len(steps), generator=draws)]

    def _cut(self, paths: Sequence[int], parts: int) -> list[list[int]]:
        """Cut in order into parts of about as many points, none empty."""
        total = sum(self._sizes[at].points for at in paths)
        found: list[list[int]] = [[]]
        seen = 0
        for number, at in enumerate(paths):
            is_due = seen >= total * len(found) / parts or len(paths) - number == parts - len(found)
            if found[-1] and len(found) < parts and is_due:
                found.append([])
            found[-1].append(at)
            seen += self._sizes[at].points
        return found

    def _balanced(self, step: Sequence[int]) -> list[list[int]]:
        """As many passes as there may be, the largest as small as can be."""
        # An epoch that was not planned may need larger ones.
        low, high = 1, max(self._pass_tokens, len(step) * max(self._sizes[at].tokens for at in step))
        while low < high:
            middle = (low + high) // 2
            if len(packed(step, self._sizes, middle)) <= self.passes_a_step:
                high = middle
            else:
                low = middle + 1
        return packed(step, self._sizes, high)


def steps_an_epoch(sizes: Sequence[PathSize], step_points: int) -> int:
    """How many steps of about so many points there are."""
    return min(len(sizes), max(1, round(sum(size.points for size in sizes) / step_points)))


def tokens_a_pass(model: LanguageModel, pass_tokens: int) -> int:
    """So many tokens as may be read at once; 1, by which each path is alone, where the longest would bend the others.

    The reference is read in other passes than the policy.
    """
    return 1 if batch_bound_angles(model) else pass_tokens


def packed(paths: Iterable[int], sizes: Sequence[PathSize], most_tokens: int) -> list[list[int]]:
    """Paths of like length together, at most so many tokens with padding; one that is longer by itself is alone."""
    passes: list[list[int]] = []
    for at in sorted(paths, key=lambda at: sizes[at].tokens):
        # It is the longest so far, so all in its pass are padded to its length.
        if passes and (len(passes[-1]) + 1) * sizes[at].tokens <= most_tokens:
            passes[-1].append(at)
        else:
            passes.append([at])
    return passes
