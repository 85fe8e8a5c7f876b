"""`planish train ftpo|dpo|sft DATA MODEL`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from planish.api import train_model as run_recipe
from planish.cli.run_flags import RUN, Config, Device, DryRun, Json, Out, Quiet, Seed, any_setting, merged_settings
from planish.cli.verb import Model, print_json, quieten_libraries, start_run
from planish.errors import UsageError

if TYPE_CHECKING:
    from planish.recipes.train_settings import TrainSettings
    from planish.train.estimate import Estimate

MADE = "What is made of it"

Tuner = Annotated[Literal["ftpo", "dpo", "sft"], typer.Argument(help="How: by points, by pairs of texts, by texts.")]
Data = Annotated[str, typer.Argument(metavar="DATA", help="JSONL of points, pairs or FTPO rows; or a run.")]


@dataclass(frozen=True)
class TrainFlags:
    """The settings that have a flag of their own; the others are reached by --set and --config."""

    merge: Annotated[
        bool | None,
        typer.Option("--merge/--no-merge", help="Save the model with the adapter in.", rich_help_panel=MADE),
    ]
    gguf: Annotated[str | None, typer.Option(help="Save it as GGUF too: f16, bf16, f32 or q8_0.", rich_help_panel=MADE)]
    strength: Annotated[float | None, typer.Option(help="How much of the adapter.", rich_help_panel=MADE)]
    push: Annotated[str | None, typer.Option(metavar="REPO", help="Upload the model to the Hub.", rich_help_panel=MADE)]
    push_data: Annotated[
        str | None, typer.Option(metavar="REPO", help="Upload the rows to the Hub.", rich_help_panel=MADE)
    ]
    private: Annotated[
        bool | None, typer.Option("--private/--public", help="Who may see it there.", rich_help_panel=MADE)
    ]
    four_bit: Annotated[bool | None, typer.Option("--four-bit", help="Keep the model in 4 bits.", rich_help_panel=RUN)]
    seed: Seed
    device: Device
    out: Out
    config: Config
    set: Annotated[list[str] | None, any_setting("ftpo.epochs=2")]
    dry_run: DryRun
    json: Json
    quiet: Quiet

    def settings(self, tuner: str, data: str, model: str) -> "TrainSettings":
        """All settings, checked."""
        from planish.recipes.train_settings import TrainSettings

        return TrainSettings.from_user(merged_settings(asdict(self), tuner=tuner, data=data, model=model))


def train(flags: TrainFlags, tuner: Tuner, data: Data, model: Model) -> None:
    """Train a model on preferences that are there already."""
    settings = flags.settings(tuner, data, model)
    if flags.dry_run:
        show_estimate(settings, as_json=flags.json)
    else:
        run_train(settings, flags.out, as_json=flags.json, quiet=flags.quiet)


def run_train(settings: "TrainSettings", out: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Start a run or go on with one, and show what came of it."""
    import os

    from planish.cli.table import show_evidence
    from planish.recipes.train import is_main_process

    if out is None and os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError("several processes must know where the run is", "add --out FOLDER")
    folder, outcome = start_run(run_recipe, "train", settings, out, quiet=quiet or not is_main_process())
    if not is_main_process():
        return
    if as_json:
        print_json(outcome, run=str(folder))
        return
    if outcome.evidence:
        show_evidence(outcome)
    else:
        print(*outcome.notes, sep="\n")
    print(f"\nmodel: {outcome.adapter.parent if outcome.adapter else folder}")


def show_estimate(settings: "TrainSettings", *, as_json: bool) -> None:
    """Print what a training will take."""
    import json

    from planish.api import estimate_training
    from planish.recipes.train import is_main_process

    quieten_libraries()
    if not is_main_process():
        return
    estimate, notes = estimate_training(**settings.model_dump(exclude_unset=True))
    if as_json:
        print(json.dumps({"estimate": estimate._asdict(), "notes": notes}))
        return
    print(*notes, *_lines(estimate, settings.tuner), sep="\n")


def _lines(estimate: "Estimate", tuner: str) -> list[str]:
    rows = {"ftpo": "paths", "dpo": "pairs", "sft": "texts"}[tuner]
    points = f"{estimate.points:,} points on " if estimate.points else ""
    share = estimate.trained / estimate.parameters
    return [
        f"trained: {estimate.trained:,} parameters, beside the model's {estimate.parameters:,} ({share:.2%} of them)",
        f"read: {points}{estimate.rows:,} {rows}, {estimate.tokens:,} tokens an epoch with padding",
        f"steps: {estimate.steps:,} in {estimate.epochs} epochs, unless it ends early",
        f"memory: {_size(estimate.memory_bytes)}: {estimate.memory_from}",
        f"time: {_duration(estimate.time_s)}, unless it ends early: {estimate.time_from}",
    ]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{seconds / 3600:.1f} h"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.3g} MB"
