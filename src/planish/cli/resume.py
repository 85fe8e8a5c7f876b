"""`planish resume RUN`."""

from typing import Annotated

import typer

from planish.api import RUNS, settings_of_run
from planish.cli.antislop import run_antislop


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, or latest.")] = "latest",
    until: Annotated[str, typer.Option(help="Last stage: write, find, ban, mine, train, prove.")] = "prove",
    changed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What may still change: max_failures; concurrency; ftpo.*"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Go on with a run that was stopped, from where it was."""
    from planish.config import merge_settings, parse_settings
    from planish.recipes.antislop_settings import AntislopSettings
    from planish.runs.catalogue import find_run
    from planish.runs.run import Run

    folder = find_run(run, RUNS)
    config = settings_of_run(Run.read_config(folder))
    settings = AntislopSettings.from_user(merge_settings(config, {"until": until}, parse_settings(changed or ())))
    run_antislop(settings, folder, as_json=json, quiet=quiet)
