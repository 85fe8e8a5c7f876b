"""What every recipe verb does around its recipe: read, load, run, show, save; and the flags for that."""

import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planish.api import RUNS
from planish.cli.command import add_verb
from planish.errors import UsageError

if TYPE_CHECKING:
    from planish.config import Settings
    from planish.models.language_model import LanguageModel
    from planish.recipes.engine_settings import EngineSettings
    from planish.recipes.outcome import Outcome
    from planish.records.prompt import Prompt
    from planish.steer.sampling import Sampling

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A folder, a Hub id, bundled, or a run.")]


@dataclass(frozen=True)
class Run:
    """The flags that all recipe verbs share, as the user gave them."""

    prompts: Annotated[Path | None, typer.Option(help="A text file, a prompt a line, or JSONL. Default: our own.")]
    limit: Annotated[int | None, typer.Option(min=3, help="Use only so many prompts.")]
    samples: Annotated[int, typer.Option(min=1, help="Texts a prompt.")]
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest text, in tokens.")]
    set: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Sampling, such as top_p=0.9.")]
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of every draw.")]
    device: Annotated[str, typer.Option(help="Where the model runs: cpu, cuda or mps.")]
    engine: Annotated[str, typer.Option(help="local, vllm, or the URL of a server that has the model.")]
    concurrency: Annotated[int, typer.Option(min=1, help="Texts that a server is asked for at once.")]
    out: Annotated[Path | None, typer.Option(help="Save the model and every row to this new folder.")]
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.")]

    def engine_settings(self) -> "EngineSettings":
        """Which engine writes.

        Raises:
            UsageError: there is no such engine.
        """
        from planish.recipes.engine_settings import EngineSettings

        return EngineSettings.from_user({"engine": self.engine, "concurrency": self.concurrency})

    def show(
        self,
        models: Sequence[str],
        recipe: "Callable[[Sequence[LanguageModel], Sequence[Prompt], Sampling], Outcome]",
        own_prompts: "Callable[[], list[Prompt]]",
        from_line: "Callable[[str, str], Prompt]",
    ) -> None:
        """Run a recipe on these models and show its evidence.

        Raises:
            PlanishError: whatever the user can mend.
        """
        from planish.cli.table import show_evidence
        from planish.models.loading import load_model
        from planish.recipes.made_model import made_model
        from planish.records.prompt import opening
        from planish.records.prompt_file import read_prompts

        sampling = self._sampling()
        quieten_libraries()
        prompts = own_prompts() if self.prompts is None else read_prompts(self.prompts, as_opening=from_line is opening)
        self._make_folder()
        started = time.monotonic()
        print(f"{' and '.join(models)}, {len(prompts[: self.limit])} prompts …", file=sys.stderr, flush=True)
        loaded = [load_model(made_model(name, RUNS), self.device) for name in models]
        outcome = recipe(loaded, prompts[: self.limit], sampling)
        if self.out is not None:
            outcome.save(self.out)
        if self.json:
            print_json(outcome)
        else:
            show_evidence(outcome)
        saved = f", saved to {self.out}" if self.out is not None else ""
        print(f"{time.monotonic() - started:.0f} s{saved}", file=sys.stderr)

    def _make_folder(self) -> None:
        """Before the work, so that a folder that cannot be made costs nothing."""
        if self.out is None:
            return
        try:
            self.out.mkdir(parents=True)
        except OSError as error:
            reason = "is already there" if self.out.exists() else f"cannot be made: {error.strerror}"
            raise UsageError(f"{self.out} {reason}", "give a new folder with --out") from error

    def _sampling(self) -> "Sampling":
        from planish.steer.sampling import Sampling

        values: dict[str, str | int] = {"max_tokens": self.max_tokens}
        for setting in self.set or ():
            key, equals, value = setting.partition("=")
            if not equals:
                raise UsageError(f"--set {setting} is not KEY=VALUE", "write it like --set top_p=0.9")
            values[key] = value
        return Sampling.from_user(values)


def recipe_verb(app: typer.Typer, verb: Callable[..., None], samples: int, max_tokens: int) -> None:
    """Add a verb to the command line, with all flags of `Run` behind its own."""
    defaults = {"samples": samples, "max_tokens": max_tokens, "seed": 0, "device": "cpu", "json": False}
    add_verb(app, verb, Run, {**defaults, "engine": "local", "concurrency": 8})


def start_run(
    recipe: "Callable[..., Outcome]", name: str, settings: "Settings", out: Path | None, *, quiet: bool
) -> "tuple[Path, Outcome]":
    """Start a run of a recipe of this name, or go on with the one in `out`: its folder, and what came of it.

    Raises:
        PlanishError: whatever the user can mend.
    """
    from planish.cli.progress import Progress
    from planish.runs.catalogue import new_run_folder

    given = settings.model_dump(exclude_unset=True)
    folder = out or new_run_folder(RUNS, name, given["model"])
    quieten_libraries()
    return folder, recipe(out=folder, listener=Progress(f"{given['model']}: {folder}", quiet=quiet), **given)


def print_json(outcome: "Outcome", **more: str) -> None:
    """Print the evidence, the notes and where the model is for programs, and nothing else."""
    evidence = [line.model_dump() for line in outcome.evidence]
    if outcome.adapter is not None:
        more |= {"model": str(outcome.adapter.parent), "adapter": str(outcome.adapter)}
    tables = {"tables": dict(outcome.tables)} if outcome.tables else {}
    print(json.dumps({"evidence": evidence, "notes": [*outcome.notes], **tables, **more}))


def quieten_libraries() -> None:
    """Leave the terminal to planish."""
    import logging

    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging as transformers_logging

    # Its retries would be shown before the one line that says what is wrong.
    hub_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", module="transformers|trl|peft|torch")
    try:
        from datasets import disable_progress_bars
    except ImportError:
        return
    disable_progress_bars()
