"""`planish resume RUN`."""

from typing import Annotated

import typer

from planish.api import RUNS, refuse_until, settings_of_run
from planish.cli.antislop import run_antislop
from planish.cli.autoif import run_autoif
from planish.cli.train import run_train


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, or latest.")] = "latest",
    until: Annotated[str | None, typer.Option(help="The last stage, as the recipe names them.")] = None,
    changed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What may still change, such as max_failures or ftpo.*"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Go on with a run that was stopped, from where it was."""
    from planish.config import merge_settings, parse_settings
    from planish.recipes.antislop_settings import AntislopSettings
    from planish.recipes.autoif_settings import AutoifSettings
    from planish.recipes.train_settings import TrainSettings
    from planish.runs.catalogue import find_run
    from planish.runs.run import Run

    folder = find_run(run, RUNS)
    config = Run.read_config(folder)
    settings = merge_settings(settings_of_run(config), parse_settings(changed or ()))
    if config.get("recipe") == "train":
        refuse_until(until)
        run_train(TrainSettings.from_user(settings), folder, as_json=json, quiet=quiet)
        return
    staged = merge_settings({"until": "prove"}, settings, {"until": until} if until else {})
    if config.get("recipe") == "autoif":
        run_autoif(AutoifSettings.from_user(staged), folder, as_json=json, quiet=quiet)
        return
    run_antislop(AntislopSettings.from_user(staged), folder, as_json=json, quiet=quiet)
