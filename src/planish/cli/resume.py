"""`planish resume RUN`."""

from typing import Annotated

import typer

from planish.api import RUNS, settings_of_run
from planish.cli.antislop import run_antislop


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, or latest.")] = "latest",
    until: Annotated[str, typer.Option(help="Last stage: write, find, ban, mine, train, prove.")] = "prove",
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Go on with a run that was stopped, from where it was."""
    from planish.recipes.antislop_settings import AntislopSettings
    from planish.runs.catalogue import find_run
    from planish.runs.run import Run

    folder = find_run(run, RUNS)
    settings = AntislopSettings.from_user({**settings_of_run(Run.read_config(folder)), "until": until})
    run_antislop(settings, folder, as_json=json, quiet=quiet)
