"""Where things lie in a run folder."""

import shlex
from pathlib import Path

CONFIG = "config.toml"
DONE = "done.json"
EVENTS = "events.jsonl"
LOCK = "lock"
PROVENANCE = "provenance.json"
STAGES = "stages"


def is_run(folder: Path) -> bool:
    """Whether this folder is a run: it knows its configuration."""
    return (folder / CONFIG).is_file()


def stage_folders(folder: Path) -> list[Path]:
    """The folders of the stages begun so far, in the order of the recipe."""
    numbered = [path for path in (folder / STAGES).glob("*-*") if path.name.partition("-")[0].isdecimal()]
    return sorted(numbered, key=lambda stage: int(stage.name.partition("-")[0]))


def stage_name(stage_folder: Path) -> str:
    """What the recipe calls the stage: the folder's name without its number."""
    return stage_folder.name.partition("-")[2]


def resume_command(folder: Path) -> str:
    """What to type so that a run goes on."""
    return f"planish resume {shlex.quote(str(folder))}"


def is_finished(folder: Path, stage: str) -> bool:
    """Whether a stage of a run is done."""
    return any(stage_name(path) == stage and (path / DONE).is_file() for path in stage_folders(folder))
