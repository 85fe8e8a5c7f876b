"""The model that a run made, wherever a model is asked for."""

from pathlib import Path

from planish.errors import UsageError
from planish.runs.catalogue import LATEST, find_run
from planish.runs.layout import DONE, is_run, resume_command, stage_folders, stage_name

MODEL_CONFIG = "config.json"
# Models that planish brings along; a run of that name would have to be given as a folder.
OWN_NAMES = ("bundled", "tiny")


def made_model(name: str, root: Path) -> str:
    """Where the model is that a user names: what a run made, if it is one (its folder, its name, `latest`).

    Any other name comes back as it is.

    Raises:
        UsageError: there is no run at all, or the run has made no model yet.
    """
    if name in OWN_NAMES or (Path(name) / MODEL_CONFIG).is_file():
        return name
    saved = Path(name) / "model"
    if (saved / MODEL_CONFIG).is_file():
        return str(saved)
    if name != LATEST and not is_run(Path(name)) and not is_run(root / name):
        return name
    run = find_run(name, root)
    made = [
        stage / "made"
        for stage in stage_folders(run)
        if stage_name(stage) == "model" and (stage / DONE).is_file() and (stage / "made" / MODEL_CONFIG).is_file()
    ]
    if not made:
        raise UsageError(f"the run {run} has made no model yet", resume_command(run))
    return str(made[-1])
