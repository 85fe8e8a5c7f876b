"""What the verbs do, from Python. Importing it loads nothing heavy."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planish.recipes.outcome import Outcome
    from planish.runs.event import RunEvent

RUNS = Path("runs")


def antislop(
    model: str, out: Path | str | None = None, listener: "Callable[[RunEvent], None] | None" = None, **settings: Any
) -> "Outcome":
    """Take a model's verbal tics out of its weights, and prove it.

    Args:
        model: a folder, a Hub id, `bundled`, or `tiny`.
        out: the run's folder; a new one under `runs/` by default, and an unfinished run goes on.
        listener: is called with every event of the run.
        settings: any field of `AntislopSettings`, such as `samples=4` or `sampling={"max_tokens": 300}`.

    Raises:
        PlanishError: whatever the user can mend.
    """
    from planish.recipes.antislop import antislop as recipe
    from planish.recipes.antislop_settings import AntislopSettings
    from planish.runs.catalogue import new_run_folder

    checked = AntislopSettings.from_user({"model": model, **settings})
    folder = new_run_folder(RUNS, "antislop", model) if out is None else Path(out)
    return recipe(checked, folder, listener)


def resume(
    run: Path | str = "latest", listener: "Callable[[RunEvent], None] | None" = None, until: str = "prove"
) -> "Outcome":
    """Go on with a run that was stopped: by its folder, by its name under `runs/`, or `latest`.

    A run that was started with `until` goes on to its end, or to another stage.

    Raises:
        PlanishError: there is no such run, or whatever else the user can mend.
    """
    from planish.runs.catalogue import find_run
    from planish.runs.run import Run

    folder = find_run(str(run), RUNS)
    return antislop(out=folder, listener=listener, **settings_of_run(Run.read_config(folder)), until=until)


def settings_of_run(config: dict[str, Any]) -> dict[str, Any]:
    """The settings alone, of a run's config.toml: without the recipe's name and the hashes of what was read."""
    return {key: value for key, value in config.items() if key not in ("recipe", "fingerprint")}
