"""The runs under a folder: which there are, how they stand, and which name is free."""

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from planish.errors import PlanishError, UsageError
from planish.runs.event import last_event
from planish.runs.layout import DONE, EVENTS, PROVENANCE, is_run, stage_folders, stage_name
from planish.runs.lock import holder_of
from planish.runs.rows_stage import rows_so_far
from planish.runs.run import Run

LATEST = "latest"
State = Literal["done", "running", "stopped", "failed"]


@dataclass(frozen=True)
class RunSummary:
    """How a run stands. `started` is the first start, in UTC (ISO 8601); "" where it is not known."""

    folder: Path
    recipe: str
    state: State
    progress: str
    started: str


def list_runs(root: Path) -> list[RunSummary]:
    """The runs under a folder, the earliest first."""
    folders = root.iterdir() if root.is_dir() else ()
    runs = [summarise(folder) for folder in folders if is_run(folder)]
    return sorted(runs, key=lambda run: (run.started, run.folder.name))


def summarise(folder: Path) -> RunSummary:
    """How one run stands. One whose configuration cannot be read has failed, and its progress says why."""
    started = _started(folder)
    try:
        recipe = str(Run.read_config(folder).get("recipe", ""))
    except PlanishError as error:
        return RunSummary(folder, "", "failed", error.message, started)
    return RunSummary(folder, recipe, _state(folder), _progress(folder), started)


def find_run(name: str, root: Path) -> Path:
    """The run that a user names: by its folder, by its name under `root`, or as `latest`.

    Raises:
        UsageError: there is no such run.
    """
    runs = list_runs(root)
    if name == LATEST and runs:
        return runs[-1].folder
    for folder in (Path(name), root / name):
        if is_run(folder):
            return folder
    names = [run.folder.name for run in runs]
    near = get_close_matches(name, names, n=1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    else:
        hint = f"the runs are: {', '.join(names)}" if names else "start one with planish antislop MODEL"
    raise UsageError(f"there is no run {name!r} in {root}", hint)


def new_run_folder(root: Path, recipe: str, model: str) -> Path:
    """A readable name that no run has, such as `runs/antislop-stories260k-2`. The folder is not made."""
    words = re.sub(r"[^a-z0-9.]+", "-", Path(model).name.lower()).strip("-.") or "model"
    name, number = f"{recipe}-{words}", 1
    while (root / name).exists():
        number += 1
        name = f"{recipe}-{words}-{number}"
    return root / name


def _state(folder: Path) -> State:
    if holder_of(folder) is not None:
        return "running"
    if (folder / DONE).is_file():
        return "done"
    event = last_event(folder / EVENTS)
    return "failed" if event is not None and event.kind == "failed" else "stopped"


def _progress(folder: Path) -> str:
    stages = stage_folders(folder)
    finished = [stage for stage in stages if (stage / DONE).is_file()]
    progress = f"{len(finished)} stage{'' if len(finished) == 1 else 's'} done"
    for stage in stages:
        if stage not in finished:
            rows = rows_so_far(stage)
            progress += f", {stage_name(stage)} begun" if rows is None else f", {rows} rows in {stage_name(stage)}"
    return progress


def _started(folder: Path) -> str:
    try:
        return str(json.loads((folder / PROVENANCE).read_bytes())["attempts"][0]["started"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""
