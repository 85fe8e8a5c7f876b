"""Random draws that belong to a row: they do not depend on which other rows are in the batch, nor on the device."""

import hashlib
import struct
from collections.abc import Sequence

import torch
from torch import Tensor

# 2^32 / golden ratio, and the factors of the mixer, as signed 32-bit numbers.
_GOLDEN = -1640531527
_FACTORS = (2146121005, -2073254261)


def gumbel(keys: Sequence[tuple[object, ...]], vocabulary: int, device: torch.device) -> Tensor:
    """Standard Gumbel noise, (B, V) float32, one row a key; the same key always gives the same row.

    The token with the largest sum of log-probability and noise is a draw from the distribution.

    Source: Wellons, Prospecting for hash functions (2018), lowbias32, on a counter, with half of the key before and
    half of it inside; Maddison, Tarlow and Minka, A* sampling (2014), section 2, for the Gumbel-max draw.
    """
    seeds = torch.tensor([_seeds(key) for key in keys], dtype=torch.int32, device=device)
    bits = torch.arange(1, vocabulary + 1, dtype=torch.int32, device=device) * _GOLDEN + seeds[:, :1]
    bits ^= _shift(bits, 16)
    bits *= _FACTORS[0]
    bits += seeds[:, 1:]
    bits ^= _shift(bits, 15)
    bits *= _FACTORS[1]
    bits ^= _shift(bits, 16)
    # 23 bits and a half fill a float32 exactly, so that no draw is 0 or 1 and both logarithms are finite.
    uniform = _shift(bits, 9).float().add_(0.5).mul_(2.0**-23)
    return uniform.log_().neg_().log_().neg_()


def _seeds(key: tuple[object, ...]) -> tuple[int, int]:
    return struct.unpack("<ii", hashlib.blake2b(repr(key).encode(), digest_size=8).digest())


def _shift(bits: Tensor, by: int) -> Tensor:
    """Shift right and fill with zeros: torch's own shift repeats the sign."""
    return (bits >> by).bitwise_and_((1 << (32 - by)) - 1)
