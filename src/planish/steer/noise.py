"""Random draws that belong to a row: they do not depend on which other rows are in the batch, nor on the device."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 2^64 / golden ratio, as a signed 64-bit number


def gumbel(keys: Sequence[tuple[object, ...]], vocabulary: int, device: torch.device) -> Tensor:
    """Standard Gumbel noise, (B, V) float32, one row a key; the same key always gives the same row.

    The token with the largest sum of log-probability and noise is a draw from the distribution.

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators (OOPSLA 2014), SplitMix64; Maddison,
    Tarlow and Minka, A* sampling (2014), section 2, for the Gumbel-max draw.
    """
    seeds = torch.tensor([_seed(key) for key in keys], dtype=torch.int64, device=device)
    bits = _mix(seeds[:, None] + torch.arange(1, vocabulary + 1, device=device) * _GOLDEN)
    # 23 bits and a half fill a float32 exactly, so that no draw is 0 or 1 and both logarithms are finite.
    uniform = (_shift(bits, 41).float() + 0.5) / 2**23
    return -torch.log(-torch.log1p(-uniform))


def _seed(key: tuple[object, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest(), "little", signed=True)


def _mix(bits: Tensor) -> Tensor:
    bits = (bits ^ _shift(bits, 30)) * -4658895280553007687
    bits = (bits ^ _shift(bits, 27)) * -7723592293110705685
    return bits ^ _shift(bits, 31)


def _shift(bits: Tensor, by: int) -> Tensor:
    """Shift right and fill with zeros: torch's own shift repeats the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
