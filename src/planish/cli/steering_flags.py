"""The flags of the verbs that let a model write: how it is steered, and how it writes."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planish.api import RUNS

if TYPE_CHECKING:
    from planish.models.language_model import LanguageModel
    from planish.steer.engine import Engine
    from planish.steer.sampling import Sampling
    from planish.steer.steering import SteeringSettings

STEERS = "Steers"
WRITING = "Writing"

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
        str | None, typer.Option(metavar="MODEL", help="Push away from this model.", rich_help_panel=STEERS)
    ]
    contrast_strength: Annotated[float | None, typer.Option(help="How far.", rich_help_panel=STEERS)]
    tag: Annotated[str | None, typer.Option(help="A control token before every text.", rich_help_panel=STEERS)]
    tag_opposite: Annotated[str | None, typer.Option(help="Push away from this tag.", rich_help_panel=STEERS)]
    tag_strength: Annotated[float | None, typer.Option(help="How far.", rich_help_panel=STEERS)]
    device: Annotated[
        str, typer.Option(help="cpu, cuda, mps, or auto: a graphics card, if any.", rich_help_panel=WRITING)
    ]

    def given_steers(self) -> dict[str, Any]:
        """The steering flags that were given, by name."""
        names = [flag.name for flag in fields(SteeringFlags) if flag.name != "device"]
        return {name: value for name, value in asdict(self).items() if name in names and value is not None}

    def steering(self) -> "SteeringSettings":
        """The steers as settings; a run in place of a model is looked up.

        Raises:
            UsageError: a value is out of range, or the run has made no model.
        """
        from planish.recipes.made_model import made_model
        from planish.steer.steering import SteeringSettings

        given = self.given_steers()
        if self.contrast is not None:
            given["contrast"] = made_model(self.contrast, RUNS)
        return SteeringSettings.from_user(given)

    def engine(self, model: str, sampling: "Sampling | None" = None) -> "Engine":
        """Load what was asked for.

        Raises:
            PlanishError: whatever the user can mend.
        """
        from planish.cli.verb import quieten_libraries
        from planish.models.loading import load_model
        from planish.recipes.made_model import made_model
        from planish.steer.engine import Engine
        from planish.steer.steering import load_steers

        quieten_libraries()
        settings = self.steering()
        loaded: LanguageModel = load_model(made_model(model, RUNS), self.device)
        return Engine(loaded, load_steers(settings, loaded), sampling)

    def described(self) -> str:
        """Which steers are on, in a line."""
        on = ", ".join(f"{name} {value}" for name, value in self.given_steers().items())
        return f"steers: {on}" if on else "no steers"


@dataclass(frozen=True)
class WritingFlags(SteeringFlags):
    """How a model is steered and how it writes."""

    max_tokens: Annotated[int, typer.Option(min=1, help="The longest text, in tokens.", rich_help_panel=WRITING)]
    set: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Sampling, such as top_p=0.9.", rich_help_panel=WRITING),
    ]
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of every draw.", rich_help_panel=WRITING)]

    def sampling(self) -> "Sampling":
        """The sampling settings.

        Raises:
            UsageError: one is unknown or out of range.
        """
        from planish.config import parse_settings
        from planish.steer.sampling import Sampling

        return Sampling.from_user({"max_tokens": self.max_tokens, **parse_settings(self.set or ())})
