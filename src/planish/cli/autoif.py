"""`planish autoif MODEL`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planish.api import autoif as run_recipe
from planish.cli.run_flags import RUN, Config, Device, Json, Out, Quiet, Seed, any_setting, merged_settings
from planish.cli.verb import Model, print_json, start_run

if TYPE_CHECKING:
    from planish.recipes.autoif_settings import AutoifSettings

PROMPTS = "Queries and answers"
STEPS = "What is done"


@dataclass(frozen=True)
class AutoifFlags:
    """The settings that have a flag of their own; the others are reached by --set and --config."""

    prompts: Annotated[
        str | None,
        typer.Option(help="Queries: text, JSONL, ShareGPT, Parquet, or a Hub data set.", rich_help_panel=PROMPTS),
    ]
    limit: Annotated[int | None, typer.Option(help="Use only so many queries.", rich_help_panel=PROMPTS)]
    system: Annotated[str | None, typer.Option(help="A system turn before each.", rich_help_panel=PROMPTS)]
    samples: Annotated[int | None, typer.Option(help="Answers a prompt.", rich_help_panel=PROMPTS)]
    max_tokens: Annotated[int | None, typer.Option(help="The longest answer, in tokens.", rich_help_panel=PROMPTS)]
    reference_text: Annotated[
        str | None, typer.Option(help="Human prose for perplexity. Default: our own.", rich_help_panel=PROMPTS)
    ]
    instructions: Annotated[
        str | None,
        typer.Option(help="built-in, or written by a model together with their verifiers.", rich_help_panel=STEPS),
    ]
    kinds: Annotated[
        list[str] | None, typer.Option(help="Learn from this kind of constraint. Default: all.", rich_help_panel=STEPS)
    ]
    held_out_kinds: Annotated[list[str] | None, typer.Option(help="A kind that only judges.", rich_help_panel=STEPS)]
    most_constraints: Annotated[int | None, typer.Option(help="Constraints a prompt, at most.", rich_help_panel=STEPS)]
    generator: Annotated[
        str | None,
        typer.Option(help="Who writes instructions and verifiers: self, or a server's URL.", rich_help_panel=STEPS),
    ]
    generator_model: Annotated[str | None, typer.Option(help="By its name on that server.", rich_help_panel=STEPS)]
    control: Annotated[
        bool | None, typer.Option("--control", help="Train on meaningless pairs, too.", rich_help_panel=STEPS)
    ]
    benchmarks: Annotated[
        list[str] | None, typer.Option("--benchmark", help="ifeval or hellaswag.", rich_help_panel=STEPS)
    ]
    until: Annotated[
        str | None,
        typer.Option(help="Last stage: instructions, write, pair, train, prove.", rich_help_panel=STEPS),
    ]
    seed: Seed
    device: Device
    engine: Annotated[
        str | None,
        typer.Option(help="Who answers: local, vllm, or the URL of a server that has the model.", rich_help_panel=RUN),
    ]
    concurrency: Annotated[
        int | None, typer.Option(help="Texts that a server is asked for at once.", rich_help_panel=RUN)
    ]
    out: Out
    config: Config
    set: Annotated[list[str] | None, any_setting("dpo.beta=0.3")]
    json: Json
    quiet: Quiet

    def settings(self, model: str) -> "AutoifSettings":
        """All settings, checked."""
        from planish.recipes.autoif_settings import AutoifSettings

        flags = asdict(self)
        max_tokens = flags.pop("max_tokens")
        if max_tokens is not None:
            flags["sampling"] = {"max_tokens": max_tokens}
        if flags["generator"] is not None and flags["instructions"] is None:
            flags["instructions"] = "written"
        return AutoifSettings.from_user(merged_settings(flags, model=model))


def autoif(flags: AutoifFlags, model: Model) -> None:
    """Teach a model to follow checkable instructions, from its own answers."""
    run_autoif(flags.settings(model), flags.out, as_json=flags.json, quiet=flags.quiet)


def run_autoif(settings: "AutoifSettings", out: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Start a run or go on with one, and show what came of it."""
    from planish.cli.table import show_evidence, show_tables

    folder, outcome = start_run(run_recipe, "autoif", settings, out, quiet=quiet)
    if as_json:
        print_json(outcome, run=str(folder))
        return
    if outcome.evidence:
        show_evidence(outcome)
        show_tables(outcome)
        print(f"\nreport: {folder / 'report.html'}")
    else:
        print("\n".join([*outcome.notes, f"run: {folder}"]))
