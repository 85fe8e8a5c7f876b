"""What the verbs do, from Python. Importing it loads nothing heavy."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planish.errors import UsageError

if TYPE_CHECKING:
    from planish.diff.text_shifts import TextShifts
    from planish.models.language_model import LanguageModel
    from planish.recipes.bench import Benched
    from planish.recipes.find import Found
    from planish.recipes.outcome import Outcome
    from planish.recipes.train_settings import TrainSettings
    from planish.records.generation import Generation
    from planish.runs.event import RunEvent
    from planish.train.estimate import Estimate

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


def autoif(
    model: str, out: Path | str | None = None, listener: "Callable[[RunEvent], None] | None" = None, **settings: Any
) -> "Outcome":
    """Teach a model to follow instructions that a program can check, from its own answers, and prove it.

    Args:
        model: a folder, a Hub id, `bundled`, `tiny`, or a run that made one.
        out: the run's folder; a new one under `runs/` by default, and an unfinished run goes on.
        listener: is called with every event of the run.
        settings: any field of `AutoifSettings`, such as `samples=4` or `dpo={"beta": 0.3}`; what a preset says of a
            model that ships is over the defaults, and these are over it.

    Raises:
        PlanishError: whatever the user can mend.
    """
    from planish.config import merge_settings
    from planish.recipes.autoif import autoif as recipe
    from planish.recipes.autoif_settings import AutoifSettings
    from planish.recipes.made_model import made_model
    from planish.recipes.presets import preset
    from planish.runs.catalogue import new_run_folder

    named = {"model": made_model(model, RUNS)}
    checked = AutoifSettings.from_user(merge_settings(preset("autoif", model), settings, named))
    folder = new_run_folder(RUNS, "autoif", model) if out is None else Path(out)
    return recipe(checked, folder, listener)


def find(
    *sources: Path | str,
    out: Path | str | None = None,
    listener: "Callable[[RunEvent], None] | None" = None,
    **settings: Any,
) -> "Found":
    """Find what texts overuse compared with people, and how often that and more stands in them.

    Args:
        sources: text, JSONL, CSV or Parquet files, folders of them, or Hub data sets; or models, by a folder, a Hub id,
            `bundled`, `tiny`, or the run that made one: they write first.
        out: a folder for what was found: profiles, ban files, and what models wrote; by default nothing is kept.
        listener: is called with every event.
        settings: any field of `FindSettings`, such as `limit=1000` or `sampling={"max_tokens": 300}`.

    Raises:
        PlanishError: whatever the user can mend.
    """
    from planish.recipes.find import find as recipe
    from planish.recipes.find_settings import FindSettings
    from planish.recipes.made_model import made_model

    named = tuple(made_model(str(source), RUNS) for source in sources)
    checked = FindSettings.from_user({"sources": named, **settings})
    return recipe(checked, None if out is None else Path(out), listener)


def text_shifts(
    before: "str | LanguageModel",
    after: "str | LanguageModel",
    texts: "str | Sequence[str | Generation]",
    prompts: Sequence[str] | None = None,
    *,
    with_prompts: bool = False,
    top: int = 5,
) -> "TextShifts":
    """How much likelier each token of some texts became between two models; a notebook shows the texts in colour.

    Args:
        before: a folder, a Hub id, `bundled`, `tiny`, the run that made one, or a model that is loaded already.
        after: the other model; it must have the same tokenizer.
        texts: one whole text or several, or generations with the prompts that they were written for.
        prompts: a request for each text, which is then read as the answer to it.
        with_prompts: the tokens of the prompts are compared, and shown, too.
        top: so many of the likeliest tokens of both models are kept at each place.

    Raises:
        PlanishError: whatever the user can mend.
    """
    from planish.diff.text_shifts import text_shifts as compare
    from planish.models.loading import load_model
    from planish.recipes.made_model import made_model

    first, second = (
        load_model(made_model(model, RUNS), "auto") if isinstance(model, str) else model for model in (before, after)
    )
    several = [texts] if isinstance(texts, str) else texts
    return compare(first, second, several, prompts, with_prompts=with_prompts, top=top)


def train_model(
    model: str,
    data: str,
    tuner: str = "ftpo",
    out: Path | str | None = None,
    listener: "Callable[[RunEvent], None] | None" = None,
    **settings: Any,
) -> "Outcome":
    """Train a model on preferences that are there already; what comes of it is saved in the run.

    Args:
        model: a folder, a Hub id, `bundled`, `tiny`, or a run that made one.
        data: a JSONL file of points, of pairs of texts, or of the FTPO rows of other tools; or a run that mined some.
        tuner: ftpo, dpo or sft.
        out: the run's folder; a new one under `runs/` by default, and an unfinished run goes on.
        listener: is called with every event of the run.
        settings: any field of `TrainSettings`, such as `strength=0.5` or `ftpo={"epochs": 2}`.

    Raises:
        PlanishError: whatever the user can mend.
    """
    from planish.recipes.train import train as recipe
    from planish.runs.catalogue import new_run_folder

    checked = _train_settings({"model": model, "data": data, "tuner": tuner, **settings})
    folder = new_run_folder(RUNS, "train", model) if out is None else Path(out)
    return recipe(checked, folder, listener)


def estimate_training(model: str, data: str, tuner: str = "ftpo", **settings: Any) -> "tuple[Estimate, list[str]]":
    """What `train_model` will take, and what was chosen automatically; nothing is written.

    Raises:
        PlanishError: whatever the user can mend.
    """
    from planish.recipes.train import estimate

    return estimate(_train_settings({"model": model, "data": data, "tuner": tuner, **settings}))


def _train_settings(values: dict[str, Any]) -> "TrainSettings":
    """Checked, and with the file and the model that a run's name stands for."""
    from planish.recipes.made_model import made_model
    from planish.recipes.train_data import data_file
    from planish.recipes.train_settings import TrainSettings

    checked = TrainSettings.from_user(values)
    found = {"data": str(data_file(checked.data, RUNS)), "model": made_model(checked.model, RUNS)}
    return checked.model_copy(update=found)


def bench(benchmark: str, model: str | None = None, out: Path | str | None = None, **settings: Any) -> "Benched":
    """Score a model on a public benchmark by lm-evaluation-harness, every number with its interval.

    Args:
        benchmark: ifeval or hellaswag.
        model: a folder, a Hub id, `bundled`, `tiny`, or a run that made one; None where there are `responses`.
        out: a new folder for the numbers and the score of every row; by default nothing is kept.
        settings: any field of `BenchSettings`, such as `against="bundled"` or `limit=100`.

    Raises:
        PlanishError: whatever the user can mend.
    """
    from planish.recipes.bench import BenchSettings
    from planish.recipes.bench import bench as recipe
    from planish.recipes.made_model import made_model

    named = {"model": model, "against": settings.pop("against", None)}
    found = {key: made_model(str(name), RUNS) for key, name in named.items() if name is not None}
    checked = BenchSettings.from_user({"benchmark": benchmark, **found, **settings})
    return recipe(checked, None if out is None else Path(out))


def resume(
    run: Path | str = "latest", listener: "Callable[[RunEvent], None] | None" = None, until: str | None = None
) -> "Outcome":
    """Go on with a run that was stopped: by its folder, by its name under `runs/`, or `latest`.

    A run that was started with `until` goes on to its end, or to another stage.

    Raises:
        PlanishError: there is no such run, or whatever else the user can mend.
    """
    from planish.runs.catalogue import find_run
    from planish.runs.run import Run

    folder = find_run(str(run), RUNS)
    config = Run.read_config(folder)
    settings = settings_of_run(config)
    if config.get("recipe") == "train":
        refuse_until(until)
        return train_model(out=folder, listener=listener, **settings)
    recipe = autoif if config.get("recipe") == "autoif" else antislop
    return recipe(out=folder, listener=listener, **settings, until=until or "prove")


def refuse_until(until: str | None) -> None:
    """Check that nobody wants to stop a training half way.

    Raises:
        UsageError: somebody does.
    """
    if until is not None:
        raise UsageError(f"a training has no stage {until!r} to end with", "leave out until")


def settings_of_run(config: dict[str, Any]) -> dict[str, Any]:
    """The settings alone, of a run's config.toml: without the recipe's name and the hashes of what was read."""
    return {key: value for key, value in config.items() if key not in ("recipe", "fingerprint")}
