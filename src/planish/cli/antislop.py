"""`planish antislop MODEL`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planish.api import antislop as run_recipe
from planish.cli.run_flags import RUN, Config, Device, Json, Out, Quiet, Seed, any_setting, merged_settings
from planish.cli.verb import Model, print_json, start_run

if TYPE_CHECKING:
    from planish.recipes.antislop_settings import AntislopSettings

PROMPTS = "Prompts and texts"
STEPS = "What is done"


@dataclass(frozen=True)
class AntislopFlags:
    """The settings that have a flag of their own; the others are reached by --set and --config."""

    prompts: Annotated[
        str | None,
        typer.Option(help="Text, JSONL, Parquet or a Hub data set. Default: our own.", rich_help_panel=PROMPTS),
    ]
    openings: Annotated[
        bool | None, typer.Option("--openings", help="Prompts are beginnings to be continued.", rich_help_panel=PROMPTS)
    ]
    first_words: Annotated[int | None, typer.Option(help="Cut prompts to so many words.", rich_help_panel=PROMPTS)]
    limit: Annotated[int | None, typer.Option(help="Use only so many prompts.", rich_help_panel=PROMPTS)]
    system: Annotated[str | None, typer.Option(help="A system turn before each.", rich_help_panel=PROMPTS)]
    prompt_template: Annotated[
        str | None, typer.Option(help="What is asked, with {prompt} in it.", rich_help_panel=PROMPTS)
    ]
    samples: Annotated[int | None, typer.Option(help="Texts a prompt.", rich_help_panel=PROMPTS)]
    max_tokens: Annotated[int | None, typer.Option(help="The longest text, in tokens.", rich_help_panel=PROMPTS)]
    baseline: Annotated[
        str | None, typer.Option(help="Human texts to compare with. Default: our profile.", rich_help_panel=PROMPTS)
    ]
    reference_text: Annotated[
        str | None, typer.Option(help="Human prose for perplexity. Default: our own.", rich_help_panel=PROMPTS)
    ]
    index: Annotated[
        str | None, typer.Option(help="Rules that only judge. Default: our slop index.", rich_help_panel=PROMPTS)
    ]
    ban: Annotated[str | None, typer.Option(help="Phrases, n-grams, regexes of your own.", rich_help_panel=STEPS)]
    whitelist: Annotated[list[str] | None, typer.Option(help="Never list this.", rich_help_panel=STEPS)]
    behaviour: Annotated[str | None, typer.Option(help="loops, or your own: my_file.py:Class.", rich_help_panel=STEPS)]
    own_only: Annotated[
        bool | None, typer.Option("--own-only", help="Only your rules and behaviour.", rich_help_panel=STEPS)
    ]
    iterations: Annotated[int | None, typer.Option(help="Times to write with bans.", rich_help_panel=STEPS)]
    tuner: Annotated[str | None, typer.Option(help="ftpo or dpo.", rich_help_panel=STEPS)]
    tune_model: Annotated[str | None, typer.Option(help="Train this model instead.", rich_help_panel=STEPS)]
    until: Annotated[
        str | None, typer.Option(help="Last stage: write, find, ban, mine, train, prove.", rich_help_panel=STEPS)
    ]
    seed: Seed
    device: Device
    engine: Annotated[
        str | None,
        typer.Option(help="Who writes: local, vllm, or the URL of a server that has the model.", rich_help_panel=RUN),
    ]
    concurrency: Annotated[
        int | None, typer.Option(help="Texts that a server is asked for at once.", rich_help_panel=RUN)
    ]
    out: Out
    config: Config
    set: Annotated[list[str] | None, any_setting("sampling.top_p=0.9")]
    json: Json
    quiet: Quiet

    def settings(self, model: str) -> "AntislopSettings":
        """All settings, checked."""
        from planish.recipes.antislop_settings import AntislopSettings

        flags = asdict(self)
        max_tokens = flags.pop("max_tokens")
        if max_tokens is not None:
            flags["sampling"] = {"max_tokens": max_tokens}
        return AntislopSettings.from_user(merged_settings(flags, model=model))


def antislop(flags: AntislopFlags, model: Model) -> None:
    """Take a model's verbal tics out of its weights, and prove it."""
    run_antislop(flags.settings(model), flags.out, as_json=flags.json, quiet=flags.quiet)


def run_antislop(settings: "AntislopSettings", out: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Start a run or go on with one, and show what came of it."""
    from planish.cli.table import show_evidence, show_rules

    folder, outcome = start_run(run_recipe, "antislop", settings, out, quiet=quiet)
    if as_json:
        print_json(outcome, run=str(folder))
    elif outcome.evidence:
        show_evidence(outcome)
        print(f"\nreport: {folder / 'report.html'}")
    else:
        show_rules(outcome)
        print(f"\nrun: {folder}")
