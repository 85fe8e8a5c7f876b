"""The flags of the verbs that start a run, and the settings that come of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from planish.api import settings_of_run

RUN = "The run"
# Flags that are no settings: where the run and its settings are, and what is shown.
NO_SETTINGS = ("out", "config", "set", "dry_run", "json", "quiet")

Seed = Annotated[int | None, typer.Option(help="Of every draw.", rich_help_panel=RUN)]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda or mps. Default: a graphics card, if any.", rich_help_panel=RUN)
]
Out = Annotated[Path | None, typer.Option(help="The run's folder; an unfinished run goes on.", rich_help_panel=RUN)]
Config = Annotated[Path | None, typer.Option(help="Settings in TOML, as a run keeps them.", rich_help_panel=RUN)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it will take, and do nothing.", rich_help_panel=RUN)]
Json = Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.", rich_help_panel=RUN)]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.", rich_help_panel=RUN)]


def any_setting(example: str) -> Any:
    """The option `--set` of a verb, with one of its own settings as an example."""
    return typer.Option(metavar="KEY=VALUE", help=f"Any setting, such as {example}.", rich_help_panel=RUN)


def merged_settings(flags: Mapping[str, Any], **named: str) -> dict[str, Any]:
    """All settings, unchecked: those of the file, over them the flags, then what stands without a flag, then --set.

    Raises:
        UsageError: the file or a --set cannot be read.
    """
    from planish.config import merge_settings, parse_settings, read_settings

    config = {} if flags["config"] is None else settings_of_run(read_settings(flags["config"]))
    given = {key: value for key, value in flags.items() if key not in NO_SETTINGS and value not in (None, [])}
    return merge_settings(config, given, named, parse_settings(flags["set"] or ()))
