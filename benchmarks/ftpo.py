"""FTPO packed by path against one row a point, as the prototype had it: speed, memory, and that both learn the same.

The plain way is written here from its description: every row is padded on the left to the maximum length, logits are
made at all positions, the reference is a second pass with the adapter off, and a path is read once for each point. Both
ways have the same corrected loss.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from claim import measure
from transformers import TrainingArguments

from models import models
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings, with_adapter
from planish.train.arguments import training_arguments
from planish.train.ftpo_loss import Points, ftpo_loss, pack_points
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer
from planish.train.path_rows import collated

TOKENS, MOST_TOKENS = 400, 1024
POINTS = (12, 3, 30)
SETTINGS = FtpoSettings(targets_slack=0.1, each_slack=0.1, adapter=AdapterSettings(rank=16))
FASTER, SMALLER, ALIKE = 20.0, 5.0, 1e-4
MIB = 2**20


def one_path(points: int) -> TokenPreferences:
    """A text of 400 tokens with so many points, spread over it."""
    draws = torch.Generator().manual_seed(points)
    ids = torch.randint(10, 4000, (TOKENS,), generator=draws).tolist()
    places = [(number + 1) * TOKENS // (points + 1) for number in range(points)]
    others = torch.randint(10, 4000, (points, 5), generator=draws).tolist()
    return TokenPreferences(
        generation_id="text",
        token_ids=tuple(ids),
        prompt_length=20,
        points=tuple(
            Point(position=place, rejected=ids[place], chosen=tuple(chosen), chosen_probs=(), rule="rule")
            for place, chosen in zip(places, others, strict=True)
        ),
    )


class Packed:
    """The way that is measured: one pass over the path, the head at its points."""

    def __init__(self, model: LanguageModel, path: TokenPreferences) -> None:
        self.adapted = moved(model)
        arguments = TrainingArguments(**training_arguments(self.adapted.model, SETTINGS, seed=0, rate=1e-4))
        self.trainer = FTPOTrainer(self.adapted, arguments, [path], settings=SETTINGS)
        self.adapted.model.model.train()
        device = self.adapted.model.device
        self.batch = {name: value.to(device) for name, value in collated([self.trainer._rows[0]]).items()}

    def epoch(self) -> None:
        """What one epoch takes: the reference is read, then a step."""
        self.trainer._rows.states = self.trainer._reference_states(self.trainer._rows)
        self.adapted.model.model.train()
        self.step()

    def step(self) -> None:
        """Forward and back, all points at once."""
        self.trainer.compute_loss(self.adapted.adapter, self.batch).backward()


class RowAPoint:
    """The prototype's way, on all rows at once or on one at a time."""

    def __init__(self, model: LanguageModel, path: TokenPreferences, rows_at_once: int) -> None:
        self.adapted = moved(model)
        self.adapted.model.model.train()
        self.path = path
        self.rows_at_once = rows_at_once

    def step(self) -> None:
        """Forward and back, as many rows at once as it was told, gradients added up."""
        for start in range(0, len(self.path.points), self.rows_at_once):
            points = self.path.points[start : start + self.rows_at_once]
            ids = torch.zeros(len(points), MOST_TOKENS, dtype=torch.long, device=self.adapted.model.device)
            mask = torch.zeros_like(ids)
            for row, point in enumerate(points):
                ids[row, -point.position :] = torch.tensor(self.path.token_ids[: point.position], device=ids.device)
                mask[row, -point.position :] = 1
            given = {
                "input_ids": ids,
                "attention_mask": mask,
                "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
                "use_cache": False,
            }
            logits = self.adapted.adapter(**given).logits[:, -1]
            with torch.no_grad(), self.adapted.adapter.disable_adapter():
                reference = self.adapted.adapter(**given).logits[:, -1]
            targets = Points(*(part.to(ids.device) for part in pack_points(points)))
            loss = ftpo_loss(logits.float(), reference.float(), targets, SETTINGS).total(SETTINGS)
            (loss * len(points) / len(self.path.points)).backward()


def moved(model: LanguageModel):
    """The model with an adapter that does something, so that every term of the loss has a gradient."""
    adapted = with_adapter(model, SETTINGS.adapter)
    draws = torch.Generator().manual_seed(1)
    for name, weight in adapted.adapter.named_parameters():
        if "lora_B" in name:
            weight.data = (0.02 * torch.randn(weight.shape, generator=draws)).to(weight)
    return adapted


def gradients(way) -> torch.Tensor:
    """Of all trained weights, after one step."""
    way.adapted.adapter.zero_grad()
    way.step()
    weights = [weight for weight in way.adapted.adapter.parameters() if weight.requires_grad]
    return torch.cat([weight.grad.flatten() for weight in weights])


class Floor:
    """Forward and back over the tokens of the path, once, with next to nothing on top."""

    def __init__(self, model: LanguageModel, path: TokenPreferences) -> None:
        self.adapted = moved(model)
        self.ids = torch.tensor([path.token_ids])

    def step(self) -> None:
        """One pass over the tokens."""
        self.adapted.model.decoder(input_ids=self.ids, use_cache=False).last_hidden_state.mean().backward()


def on_accelerator() -> None:
    """Points a second and memory of both ways, on a random model of 0.5B weights and a vocabulary of 128,256."""
    (model,) = models(["llama500m"])
    path = one_path(POINTS[0])
    ways = {"packed": Packed(model, path).epoch, "a row a point, one at a time": RowAPoint(model, path, 1).step}
    for name, step in ways.items():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        rates = [len(path.points) / seconds_on_accelerator(step) for _ in range(8)][1:]
        peak_gib = (torch.cuda.max_memory_allocated() - before) / 2**30
        line = {"claim": f"FTPO, 0.5B weights: {name}", "points_per_s": median(rates), "low": min(rates)}
        print(json.dumps(line | {"high": max(rates), "peak_gib": peak_gib}))


def seconds_on_accelerator(step: Callable[[], None]) -> float:
    """Of one step, with all that it started done."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def peak_bytes(way: str) -> int:
    """What one step of a way takes at its peak on top of what was there before, in a process of its own."""
    said = subprocess.run([sys.executable, __file__, way], capture_output=True, text=True, check=True)  # noqa: S603
    return int(said.stdout.split()[-1])


def measure_peak(way: str) -> None:
    """Print that figure for this process."""
    model, path = load_model("bundled"), one_path(POINTS[0])
    ways = {
        "packed": lambda: Packed(model, path),
        "all": lambda: RowAPoint(model, path, len(path.points)),
        "one": lambda: RowAPoint(model, path, 1),
    }
    made = ways[way]()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    made.step()
    print(_status("VmHWM") - before)


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


def main() -> int:
    """Speed for each number of points, memory for the first, and the gradients."""
    torch.set_num_threads(1)
    model, holds = load_model("bundled"), True
    for points in POINTS:
        path = one_path(points)
        packed, plain, floor = Packed(model, path), RowAPoint(model, path, points), Floor(model, path)
        target = FASTER if points == POINTS[0] else 1.0
        name = f"FTPO, {points} points on {TOKENS} tokens: points per second, against a row of {MOST_TOKENS} a point"
        holds &= measure(f"{name}, one epoch", plain.step, packed.epoch, target)
        measure(
            f"FTPO, {points} points: one step as a share of the speed of one bare pass", floor.step, packed.step, 0.5
        )
    first = one_path(POINTS[0])
    one_at_a_time = f"FTPO, {POINTS[0]} points: points per second, against a row a point, one row at a time"
    holds &= measure(one_at_a_time, RowAPoint(model, first, 1).step, Packed(model, first).epoch, FASTER)
    ours, theirs = gradients(Packed(model, first)), gradients(RowAPoint(model, first, 1))
    difference = float((ours - theirs).norm() / theirs.norm())
    peaks = {way: peak_bytes(way) for way in ("packed", "all", "one")}
    for way, rows in (("all", "the same points at once"), ("one", "one row at a time")):
        ratio = peaks[way] / peaks["packed"]
        # One row at a time is the least that the plain way can do.
        holds &= ratio >= SMALLER
        print(
            json.dumps(
                {
                    "claim": f"FTPO, peak memory: {rows} in rows, {peaks[way] / MIB:.0f} MiB, against packed, "
                    f"{peaks['packed'] / MIB:.0f} MiB",
                    "ratio": round(ratio, 1),
                    "target": SMALLER,
                    "holds": ratio >= SMALLER,
                }
            )
        )
    line = {"claim": "FTPO, relative difference of the gradients", "ratio": difference, "target": ALIKE}
    print(json.dumps(line | {"holds": difference <= ALIKE}))
    if torch.cuda.is_available():
        on_accelerator()
    return 0 if holds and difference <= ALIKE else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_peak(sys.argv[1])
    else:
        sys.exit(main())
