"""The flags of the verbs that let a model write: how it is steered, and how it writes."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planish.api import RUNS

if TYPE_CHECKING:
    from planish.models.language_model import LanguageModel
    from planish.steer.engine import Engine
    from planish.steer.sampling import Sampling
    from planish.steer.steer import Steer
    from planish.steer.steering import SteeringSettings

STEERS = "Steers"
WRITING = "Writing"
# What stands beside the steers.
NO_STEERS = ("adapter", "device", "set")

WritingModel = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A folder, a Hub id, bundled, tiny, or a run: its name, its folder, latest."),
]


@dataclass(frozen=True)
class SteeringFlags:
    """How a model is steered, as the user gave it."""

    ban: Annotated[
        Path | None,
        typer.Option(help="What not to write: text, a rule a line, or JSONL.", rich_help_panel=STEERS),
    ]
    thinking: Annotated[
        bool | None,
        typer.Option("--thinking/--no-thinking", help="Does it hold while the model thinks?", rich_help_panel=STEERS),
    ]
    cap: Annotated[
        Path | None, typer.Option(metavar="HEAD", help="A value head: cap what ends badly.", rich_help_panel=STEERS)
    ]
    epsilon: Annotated[
        float | None, typer.Option(help="A token is at most 1 - risk - epsilon likely.", rich_help_panel=STEERS)
    ]
    contrast: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Push away from this model; base: without --adapter.", rich_help_panel=STEERS
        ),
    ]
    contrast_mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="Instead: probability_difference, amplified, interpolated, proxy_tuned.",
            rich_help_panel=STEERS,
        ),
    ]
    contrast_strength: Annotated[float | None, typer.Option(help="How far.", rich_help_panel=STEERS)]
    contrast_plain: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="For proxy_tuned: the other one before tuning.", rich_help_panel=STEERS),
    ]
    contrast_prompt: Annotated[
        str | None, typer.Option(help="Only the other one sees this, first.", rich_help_panel=STEERS)
    ]
    tag: Annotated[str | None, typer.Option(help="A control token before every text.", rich_help_panel=STEERS)]
    tag_opposite: Annotated[str | None, typer.Option(help="Push away from this tag.", rich_help_panel=STEERS)]
    tag_strength: Annotated[float | None, typer.Option(help="How far.", rich_help_panel=STEERS)]
    adapter: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A LoRA for the model, from PEFT.", rich_help_panel=WRITING)
    ]
    device: Annotated[
        str, typer.Option(help="cpu, cuda, mps, or auto: a graphics card, if any.", rich_help_panel=WRITING)
    ]
    set: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Sampling: top_p=0.9; a contrast: contrast.gate=2.", rich_help_panel=WRITING
        ),
    ]

    def given_steers(self) -> dict[str, Any]:
        """The steering flags that were given, by name."""
        names = [flag.name for flag in fields(SteeringFlags) if flag.name not in NO_STEERS]
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def other_settings(self) -> dict[str, Any]:
        """What is set and is no option of the contrast."""
        from planish.config import parse_settings

        return {key: value for key, value in parse_settings(self.set or ()).items() if key != "contrast"}

    def steering(self) -> "SteeringSettings":
        """The steers as settings; a run in place of a model is looked up.

        Raises:
            UsageError: a value is out of range, settings do not go together, or the run has made no model.
        """
        from planish.config import parse_settings
        from planish.recipes.made_model import made_model
        from planish.steer.steering import BASE, SteeringSettings

        given = self.given_steers()
        for key in ("contrast", "contrast_plain"):
            if given.get(key, BASE) != BASE:
                given[key] = made_model(given[key], RUNS)
        options = parse_settings(self.set or ()).get("contrast")
        settings = SteeringSettings.from_user(given if options is None else {**given, "contrast_options": options})
        settings.check()
        return settings

    def loaded(self, model: str) -> "tuple[LanguageModel, list[Steer]]":
        """Load the model, with its adapter, and its steers.

        Raises:
            PlanishError: whatever the user can mend.
        """
        from planish.cli.verb import quieten_libraries
        from planish.models.adapter_off import load_adapted
        from planish.models.loading import load_model
        from planish.recipes.made_model import made_model
        from planish.steer.steering import load_steers

        quieten_libraries()
        settings, name = self.steering(), made_model(model, RUNS)
        if self.adapter is None:
            loaded = load_model(name, self.device)
        else:
            loaded = load_adapted(name, self.adapter, self.device)
        return loaded, load_steers(settings, loaded)

    def engine(self, model: str, sampling: "Sampling | None" = None) -> "Engine":
        """An engine with all that.

        Raises:
            PlanishError: whatever the user can mend.
        """
        from planish.steer.engine import Engine

        return Engine(*self.loaded(model), sampling)

    def described(self) -> str:
        """Which steers are on, in a line."""
        on = ", ".join(f"{name} {value}" for name, value in self.given_steers().items())
        return f"steers: {on}" if on else "no steers"


@dataclass(frozen=True)
class WritingFlags(SteeringFlags):
    """How a model is steered and how it writes."""

    max_tokens: Annotated[int, typer.Option(min=1, help="The longest text, in tokens.", rich_help_panel=WRITING)]
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of every draw.", rich_help_panel=WRITING)]

    def sampling(self) -> "Sampling":
        """The sampling settings.

        Raises:
            UsageError: one is unknown or out of range.
        """
        from planish.steer.sampling import Sampling

        return Sampling.from_user({"max_tokens": self.max_tokens, **self.other_settings()})
