"""A run: what a recipe makes, stage by stage, in a folder that survives a kill at any moment."""

import json
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from planish.errors import DataError, PlanishError, UsageError
from planish.records.record import RecordType
from planish.runs.disk import PARTIAL, explain_full_disk, explain_refusal, make_folder, replace_text
from planish.runs.event import EventLog, RunEvent
from planish.runs.folder_stage import FolderStage
from planish.runs.interrupt import Interrupted, InterruptFlag
from planish.runs.layout import CONFIG, DONE, EVENTS, LOCK, PROVENANCE, STAGES, is_run, stage_folders, stage_name
from planish.runs.lock import Lock
from planish.runs.provenance import describe_attempt
from planish.runs.rows_stage import RowsStage
from planish.runs.secret import redact, refuse_secrets
from planish.runs.toml import flat, write_toml, written


class Run:
    """A run folder, open for its one writer: `with Run.start(...) as run:`.

    Ask for the same stages in the same order each time. What is finished is read, what is not is made. The first Ctrl+C
    lets the block or folder at hand be finished and saved.
    """

    def __init__(self, path: Path, listener: Callable[[RunEvent], None] | None = None) -> None:
        self.path = path
        self._listener = listener
        self._stages: list[str] = []
        self._stage = ""
        self._open = ExitStack()
        self._interrupt = InterruptFlag(path, lambda: self.say("interrupt"))

    @classmethod
    def start(
        cls,
        folder: Path,
        recipe: str,
        config: Mapping[str, Any],
        provenance: Mapping[str, Any],
        listener: Callable[[RunEvent], None] | None = None,
        changeable: Collection[str] = (),
    ) -> Self:
        """Make a run folder, or find one that goes on.

        Args:
            folder: new, empty, or a run of this recipe with this configuration.
            recipe: its name.
            config: every setting: strings, numbers, booleans, lists, None, and tables of them.
            provenance: what else the rows come from, such as hashes of models; stored beside versions and machine.
            listener: is called with every event; for "interrupt", inside the signal handler.
            changeable: settings and tables that may differ from those the run was started with.

        Raises:
            UsageError: the folder holds something else, has other settings, is being written or cannot be written; or
                a setting holds a secret.
        """
        text = write_toml({"recipe": recipe, **config})
        settings = tomllib.loads(text)
        refuse_secrets(settings)
        with explain_refusal(folder):
            make_folder(folder)
            _refuse_foreign(folder)
            with Lock(folder):
                if is_run(folder):
                    _refuse_other_settings(folder, cls.read_config(folder), settings, changeable)
                replace_text(folder / CONFIG, text)
                _add_attempt(folder / PROVENANCE, provenance)
        return cls(folder, listener)

    @classmethod
    def read_config(cls, folder: Path) -> dict[str, Any]:
        """The settings of a run, typed as they were given, and the recipe's name under "recipe".

        Raises:
            UsageError: the folder is no run.
            DataError: the file is damaged.
        """
        if not is_run(folder):
            raise UsageError(f"{folder} is not a run: it has no {CONFIG}", "planish ls shows the runs")
        try:
            return tomllib.loads((folder / CONFIG).read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{folder / CONFIG}: {error}", f"mend {folder / CONFIG}") from error

    def __enter__(self) -> Self:
        """Become the one writer, and take Ctrl+C over.

        Raises:
            UsageError: another process writes this run.
        """
        with ExitStack() as opening:
            opening.enter_context(Lock(self.path))
            self._events = EventLog(self.path / EVENTS)
            self.say("start")
            opening.enter_context(self._interrupt)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Note how it ended, and let others write."""
        # The error that ended the run is what the user must see, not that it could not be noted on a full disk.
        with self._open, suppress(PlanishError):
            if isinstance(error, Interrupted | KeyboardInterrupt):
                self.say("stopped")
            elif isinstance(error, Exception):
                self.say("failed", error=f"{type(error).__name__}: {error}")

    def rows(
        self, stage: str, kind: type[RecordType], blocks: Callable[[int], Iterable[Sequence[RecordType]]]
    ) -> list[RecordType]:
        """The rows of a stage: read where they are finished, else made from the first missing block on.

        Args:
            stage: its name.
            kind: of its rows.
            blocks: given a number, hands out the blocks from there on; where they begin changes no block.

        Raises:
            DataError: the rows of a finished stage were changed.
            Interrupted: Ctrl+C; the block at hand is saved.
            PlanishError: the disk is full.
        """
        rows = RowsStage(self._begin(stage), kind)
        if not rows.is_closed:
            self._reopen()
            with explain_refusal(self.path):
                rows.recover()
            self.say("begin", **rows.figures)
            for block in blocks(len(rows.blocks)):
                with explain_refusal(self.path):
                    rows.append(block)
                self.say("block", **rows.figures)
                self._interrupt.stop_if_set()
            with explain_refusal(self.path):
                rows.close()
            self.say("end", **rows.figures)
        # Read back also what was just written: a run that was killed goes on with the very same rows.
        return rows.read()

    def rows_at_once(
        self, stage: str, kind: type[RecordType], make: Callable[[], Sequence[RecordType]]
    ) -> list[RecordType]:
        """The same, of a stage that makes all its rows in one block."""
        return self.rows(stage, kind, lambda first: [] if first else [make()])

    def folder(self, stage: str, make: Callable[[Path], None]) -> Path:
        """The folder that a stage makes, such as a trained model; `make` is given an empty one to fill.

        Raises:
            DataError: the folder of a finished stage was changed.
            Interrupted: Ctrl+C; a folder at hand is finished first, or saves what it goes on from.
            PlanishError: the disk is full.
        """
        folder = FolderStage(self._begin(stage))
        if folder.is_closed:
            folder.check()
        else:
            self._reopen()
            self.say("begin")
            with explain_full_disk(self.path):
                folder.make(make)
            self.say("end")
            self._interrupt.stop_if_set()
        return folder.made

    def file(self, name: str, text: str) -> Path:
        """Write a file of the run itself, such as `report.html`; an earlier one is replaced at once."""
        with explain_refusal(self.path):
            replace_text(self.path / name, text)
        return self.path / name

    def say(self, kind: str, **figures: Any) -> None:
        """Note that something happened, and tell the listener."""
        with explain_refusal(self.path):
            event = self._events.append(kind, self._stage, figures)
        if self._listener is not None:
            self._listener(event)

    @property
    def is_done(self) -> bool:
        """Whether the recipe came to its end."""
        return (self.path / DONE).is_file()

    def finish(self, status: str = "done") -> None:
        """Say that the recipe came to its end, and how: its status, such as "done" or "gate failed"."""
        self.file(DONE, json.dumps({"status": status, "stages": self._stages}) + "\n")
        self._stage = ""
        self.say("finish", status=status)

    def _begin(self, stage: str) -> Path:
        """The folder of a stage, numbered by the order in which the recipe asks for its stages."""
        if stage not in self._stages:
            self._stages.append(stage)
        self._stage = stage
        number = self._stages.index(stage) + 1
        folder = self.path / STAGES / f"{number}-{stage}"
        for other in stage_folders(self.path):
            if (stage_name(other) == stage or other.name.startswith(f"{number}-")) and other != folder:
                raise DataError(
                    f"{other} stands where this version of the recipe has {folder.name}", "start a new run with --out"
                )
        return folder

    def _reopen(self) -> None:
        """There is something to be made, so the end is to be reached anew."""
        self._interrupt.stop_if_set()
        (self.path / DONE).unlink(missing_ok=True)


def _refuse_foreign(folder: Path) -> None:
    """A folder that is no run must be empty, but for what a kill left of the first steps."""
    others = [path.name for path in folder.iterdir() if path.name != LOCK and not path.name.endswith(PARTIAL)]
    if others and not is_run(folder):
        raise UsageError(f"{folder} is not a run, and holds {min(others)}", "give a new folder with --out")


def _refuse_other_settings(
    folder: Path, before: Mapping[str, Any], after: Mapping[str, Any], changeable: Collection[str]
) -> None:
    shown_before, shown_after = (
        {name: written(value) for name, value in flat(settings).items() if name.partition(".")[0] not in changeable}
        for settings in (before, after)
    )
    differing = [
        f"{key} was {shown_before.get(key, 'not set')}, now {shown_after.get(key, 'not set')}"
        for key in {**shown_before, **shown_after}
        if shown_before.get(key) != shown_after.get(key)
    ]
    if differing:
        raise UsageError(
            f"{folder} was started with other settings: {'; '.join(differing)}",
            "resume with the same settings, or give a new folder with --out",
        )


def _add_attempt(path: Path, provenance: Mapping[str, Any]) -> None:
    """Versions and machine of every start are kept: a run may be resumed with others."""
    try:
        attempts = json.loads(path.read_bytes())["attempts"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        attempts = []
    described = {**redact(provenance), "attempts": [*attempts, describe_attempt()]}
    replace_text(path, json.dumps(described, indent=2, default=str) + "\n")
