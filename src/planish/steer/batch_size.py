"""How many rows are decoded at once, and why."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache

from planish.errors import ModelError
from planish.models.language_model import LanguageModel

# From here on more rows at once make no text come sooner: a processor is busy with fewer than a graphics card.
MOST_ROWS = {"cpu": 64}
MOST_ROWS_ELSEWHERE = 256
# The caches may fill this much of what is free: a cache that grows is copied, and prompts are read all at once.
CACHE_SHARE = 0.4
# A cache that grows is there twice for a moment: as it was, at half its size at most, and as it will be.
GROWING = 1.5
# A step holds so many vectors of one float32 a logit for each row: the stages, a sort for top-p, the noise.
VECTORS_A_ROW = 16

GIGABYTE = 1e9


class BatchSize(NamedTuple):
    """So many rows at once, and why."""

    rows: int
    reason: str


def fitting_batch_size(models: Collection[LanguageModel], tokens: int) -> BatchSize:
    """How many rows of `tokens` tokens, prompt included, fit into what is free on the models' device."""
    for model in models:
        if model.alone_because:
            return BatchSize(1, f"one row at a time, since {model.name!r} cannot be batched: {model.alone_because}")
    device = next(iter(models)).device
    most = MOST_ROWS.get(device.type, MOST_ROWS_ELSEWHERE)
    free = free_bytes(device)
    if free is None:
        return BatchSize(most, f"{most} rows at once: how much memory is free on {device} is unknown")
    each = sum(row_bytes(model, tokens) for model in models)
    fitting = int(CACHE_SHARE * free / each)
    takes = f"a row of {tokens} tokens takes {each / 1e6:.1f} MB, {free / GIGABYTE:.1f} GB are free on {device}"
    if fitting >= most:
        return BatchSize(most, f"{most} rows at once, more would not be faster: {takes}")
    return BatchSize(max(1, fitting), f"{max(1, fitting)} rows at once, as many as surely fit: {takes}")


def row_bytes(model: LanguageModel, tokens: int) -> float:
    """What a row of so many tokens takes at most: its columns in the cache, and its logits."""
    return GROWING * tokens * cache_bytes_per_token(model) + VECTORS_A_ROW * 4 * model.vocabulary


@torch.no_grad()
def cache_bytes_per_token(model: LanguageModel) -> int:
    """The keys and values of one token, measured on one: no two architectures name the sizes alike."""
    first = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    cache: Any = DynamicCache()
    model.hidden(first, first, lambda window: first.new_zeros(1, 1, 1, 1, dtype=model.model.dtype), cache)
    return sum(int(states.nbytes) for layer in cache.layers for states in (layer.keys, layer.values))


def free_bytes(device: torch.device) -> int | None:
    """How much memory new tensors on this device may take; None where nobody says."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    if device.type == "cpu" and (table := Path("/proc/meminfo")).is_file():
        rows = dict(line.split(":") for line in table.read_text().splitlines())
        return int(rows["MemAvailable"].split()[0]) * 1024
    return None


def peak_bytes(device: torch.device) -> int | None:
    """The most memory that was in use on this device; None where nobody says."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory has run out, wherever: only on a graphics card does it have a class of its own."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        said in str(error) for said in ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
    )


def halved(batch_size: BatchSize, device: torch.device, tokens: int) -> BatchSize:
    """What to try after memory has run out.

    Raises:
        ModelError: it was one row already.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if batch_size.rows > 1:
        rows = batch_size.rows // 2
        return BatchSize(rows, f"{rows} rows at once: memory ran out with {batch_size.rows}")
    sizes = (("at the peak", peak_bytes(device)), ("free now", free_bytes(device)))
    known = ", ".join(f"{size / GIGABYTE:.2f} GB {when}" for when, size in sizes if size is not None)
    raise ModelError(
        f"not even one row of {tokens} tokens fits into the memory of {device} ({known})",
        "shorter texts (--max-tokens), shorter prompts, or "
        + ("a smaller model" if device.type == "cpu" else "--device cpu"),
    )
