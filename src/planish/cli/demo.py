"""`planish demo`: antislop on the bundled model, in minutes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from planish.cli.antislop import run_antislop

# Little enough for two cores and three minutes; nothing else differs from `planish antislop bundled`.
DEMO: dict[str, Any] = {
    "model": "bundled",
    "limit": 150,
    "samples": 2,
    "sampling": {"max_tokens": 120},
    "front": [0.4, 0.7, 1.0],
}


def demo(
    out: Annotated[Path | None, typer.Option(help="The run's folder.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evidence as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Take the tics out of the small model that ships: under three minutes on two cores."""
    from planish.recipes.antislop_settings import AntislopSettings

    run_antislop(AntislopSettings.from_user(DEMO), out, as_json=json, quiet=quiet)
