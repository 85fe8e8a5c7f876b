"""Train a model on preferences that are there already, and make of it what others can use."""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from peft.helpers import rescale_adapter_scale

from planish.errors import UsageError
from planish.recipes.outcome import Outcome
from planish.recipes.train_data import LeftOut
from planish.recipes.train_evidence import point_evidence
from planish.recipes.train_inputs import Inputs, read_inputs
from planish.recipes.train_report import card, data_card, report
from planish.recipes.train_settings import TrainSettings
from planish.recipes.trained_model import ADAPTER, save_trained
from planish.recipes.training import CHECKPOINTS, Training, checkpoint_folder, read_training, write_training
from planish.records.evidence import Evidence
from planish.records.preference import CompletionPreference, TokenPreferences
from planish.records.record import Record, write_records
from planish.records.training import PointGap, TrainingStep
from planish.runs.event import RunEvent
from planish.runs.layout import is_finished
from planish.runs.run import Run
from planish.train.adapter import Adapted, load_adapter
from planish.train.dpo import train_dpo
from planish.train.estimate import Estimate, estimate_ftpo, estimate_rows
from planish.train.ftpo import train_ftpo
from planish.train.gaps import point_gaps
from planish.train.gguf import find_converter
from planish.train.hub import push_folder, token_for
from planish.train.sft import Completion, train_sft
from planish.train.token_pairs import token_pairs
from planish.train.training import Tuned

# The loss at the beginning and at the end is the mean of so many steps.
SEEN_STEPS = 5


def train(settings: TrainSettings, folder: Path, listener: Callable[[RunEvent], None] | None = None) -> Outcome:
    """Train an adapter, measure it on points that were held out, and save, merge, export and upload what was asked for.

    Under `accelerate launch` every process trains, and the first alone does all else: the outcome of the others is
    empty.

    Args:
        settings: everything there is to say.
        folder: the run: new, or one with the same settings, which goes on. The same for all processes.
        listener: is called with every event of the run.

    Raises:
        DataError: the rows cannot be read, or balancing leaves none.
        ModelError: the model cannot be loaded, or there is no converter for what is to be exported.
        UsageError: the settings do not fit the rows or the run, or there is no token for the Hub.
    """
    _refuse_early(settings)
    given = read_inputs(settings)
    settings = given.settings
    if not is_main_process():
        if not is_finished(folder, "train"):
            _tuned(given, folder)
        return Outcome(())
    config = {**settings.model_dump(mode="json"), "fingerprint": given.fingerprint}
    changeable = ["push", "push_data", "private"]
    changeable += [] if is_finished(folder, "model") else ["merge", "gguf"]
    changeable += [] if is_finished(folder, "train") else [settings.tuner]
    with Run.start(folder, "train", config, {}, listener, changeable) as run:
        return _Train(run, given).outcome()


def estimate(settings: TrainSettings) -> tuple[Estimate, list[str]]:
    """What `train` will take, and what was chosen automatically; nothing is written.

    Raises:
        DataError: the rows cannot be read, or balancing leaves none.
        ModelError: the model cannot be loaded, or not even one pass fits into memory.
        UsageError: the settings do not fit the rows.
    """
    _refuse_early(settings)
    given = read_inputs(settings)
    settings, model, seed = given.settings, given.model, settings.seed
    if settings.tuner == "ftpo":
        found = estimate_ftpo(model, given.used, given.held_out, settings.ftpo, seed)
        return found, [*given.notes, f"held out: {_counted(given.held_out)}"]
    pairs = list(token_pairs(model, given.data.rows))
    chosen = [Completion(pair.context, pair.chosen) for pair in pairs]
    if settings.tuner == "sft":
        texts = [(text,) for text in dict.fromkeys(chosen)]
        return estimate_rows(model, texts, settings.sft, seed, has_reference=False), [*given.notes]
    rejected = [Completion(pair.context, pair.rejected) for pair in pairs]
    sides = list(zip(chosen, rejected, strict=True))
    return estimate_rows(model, sides, settings.dpo, seed, has_reference=True), [*given.notes]


def is_main_process() -> bool:
    """Whether this process is the first of those that `accelerate launch` started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def _refuse_early(settings: TrainSettings) -> None:
    """What would fail after hours fails now."""
    if settings.gguf is not None:
        if not settings.merge:
            raise UsageError("GGUF holds a whole model, and it is not to be merged", "leave out --no-merge, or --gguf")
        find_converter()
    for repo in filter(None, (settings.push, settings.push_data)):
        token_for(repo)


def _tuned(given: Inputs, run: Path) -> Tuned:
    settings, model = given.settings, given.model
    own = {"ftpo": settings.ftpo, "dpo": settings.dpo, "sft": settings.sft}[settings.tuner]
    checkpoints = checkpoint_folder(run, own)
    match settings.tuner:
        case "ftpo":
            return train_ftpo(model, given.points, settings.ftpo, settings.seed, checkpoints)
        case "dpo":
            return train_dpo(model, given.data.rows, settings.dpo, settings.seed, checkpoints)
        case "sft":
            return train_sft(model, given.pairs, settings.sft, settings.seed, checkpoints)


class _Train:
    """The chain of stages. Each is made once in a run, and read from there whenever the run goes on."""

    def __init__(self, run: Run, given: Inputs) -> None:
        self.run = run
        self.given = given
        self.settings = given.settings
        self.notes = [*given.notes]

    def outcome(self) -> Outcome:
        """Read, train, measure, save, upload."""
        kind: type[Record] = TokenPreferences if self.given.points else CompletionPreference
        data = self.run.rows_at_once("data", kind, lambda: self.given.data.rows)
        if self.given.data.left_out:
            self.run.file("left_out.jsonl", _jsonl(self.given.data.left_out))
        training, adapter = self._train()
        adapted = load_adapter(self.given.model, adapter)
        gaps, evidence = self._measure(adapted)
        folder = self.run.folder("model", partial(self._save, adapted, adapter, evidence))
        if not evidence:
            self.notes.append(f"what it does was not measured: planish prove {self.settings.model} {self.run.path}")
        else:
            page = report(self.settings, evidence, training, gaps, self.given.fingerprint, self.notes)
            self.run.file("report.html", page)
        self._push(folder, data)
        self.run.finish()
        rows: dict[str, Sequence[Record]] = {"data": data, "gaps": gaps}
        return Outcome(evidence, None, rows, self.notes, folder=self.run.path, adapter=folder / ADAPTER)

    def _train(self) -> tuple[Training, Path]:
        """How it went, and where the adapter is."""
        folder = self.run.folder("train", partial(_tune, self.given, self.run.path))
        shutil.rmtree(self.run.path / CHECKPOINTS, ignore_errors=True)
        training = read_training(folder)
        self.notes += [f"training: {line}" for line in (*training.choices, _losses(training.steps), training.ended)]
        return training, folder / ADAPTER

    def _measure(self, adapted: Adapted) -> tuple[list[PointGap], list[Evidence]]:
        """How far each point moved, and what the held-out ones say; pairs of texts have neither."""
        if self.settings.tuner != "ftpo":
            return [], []
        before, after, ftpo = self.given.model, adapted.model, self.settings.ftpo
        with rescale_adapter_scale(adapted.adapter, self.settings.strength):
            gaps = self.run.rows_at_once("gaps", PointGap, lambda: point_gaps(before, after, self.given.points, ftpo))
            judged = self.given.held_out
            evidence = self.run.rows_at_once("evidence", Evidence, lambda: point_evidence(before, after, judged, ftpo))
        self.notes.append(f"held out: {_counted(self.given.held_out)}")
        return gaps, evidence

    def _save(self, adapted: Adapted, adapter: Path, evidence: Sequence[Evidence], folder: Path) -> None:
        settings = self.settings
        save_trained(
            folder,
            settings.model,
            adapted,
            adapter,
            settings.strength,
            merge=settings.merge,
            gguf=settings.gguf,
        )
        (folder / "README.md").write_text(card(settings, evidence), encoding="utf-8")

    def _push(self, folder: Path, data: Sequence[Any]) -> None:
        """Upload the model and the rows, where that was asked for."""
        settings = self.settings
        if settings.push is not None:
            url = push_folder(folder, settings.push, "model", settings.private)
            self.notes.append(f"the model is at {url}")
        if settings.push_data is not None:
            rows = self.run.path / "dataset"
            rows.mkdir(exist_ok=True)
            write_records(rows / "rows.jsonl", data)
            (rows / "README.md").write_text(data_card(len(data)), encoding="utf-8")
            url = push_folder(rows, settings.push_data, "dataset", settings.private)
            self.notes.append(f"the rows are at {url}")


def _tune(given: Inputs, run: Path, folder: Path) -> None:
    write_training(folder, _tuned(given, run))


def _losses(steps: Sequence[TrainingStep]) -> str:
    seen = min(SEEN_STEPS, len(steps) // 2)
    if not seen:
        return "loss: " + ", ".join(f"{step.loss:.3g} in the only step" for step in steps)
    first, last = (fmean([step.loss for step in part]) for part in (steps[:seen], steps[-seen:]))
    return f"loss: {first:.3g} in the first {seen} of {len(steps)} steps, {last:.3g} in the last {seen}"


def _counted(paths: Sequence[TokenPreferences]) -> str:
    texts = len({path.generation_id for path in paths})
    points = sum(len(path.points) for path in paths)
    return f"{points} points in {texts} texts" if paths else "nothing, for there are fewer than 10 texts"


def _jsonl(rows: Iterable[LeftOut]) -> str:
    return "".join(row.model_dump_json() + "\n" for row in rows)
