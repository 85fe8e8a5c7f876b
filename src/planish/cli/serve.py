"""`planish serve MODEL`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from planish.cli.steering_flags import SteeringFlags, WritingModel
from planish.errors import UsageError

SERVER = "Server"
# Texts are taken to be so long, prompt included, when it is worked out how many fit into memory.
USUAL_TOKENS = 2048


@dataclass(frozen=True)
class ServeFlags(SteeringFlags):
    """How a model is steered and served."""

    host: Annotated[str, typer.Option(help="The address to listen on.", rich_help_panel=SERVER)]
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.", rich_help_panel=SERVER)]
    name: Annotated[str | None, typer.Option(help="What clients call it. Default: MODEL.", rich_help_panel=SERVER)]
    api_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable that holds the key.", rich_help_panel=SERVER),
    ]
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Texts at once. Default: as many as fit.", rich_help_panel=SERVER)
    ]
    set: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Limits: text_tokens=1000; a contrast: contrast.gate=2.", rich_help_panel=SERVER
        ),
    ]


def serve(flags: ServeFlags, model: WritingModel) -> None:
    """Serve a model, OpenAI-compatible, with steers on everything that it writes."""
    import sys

    from planish.steer.server.guard import Door
    from planish.steer.server.limits import Limits
    from planish.steer.server.run import bound_socket, run_server
    from planish.steer.server.service import Service

    # What may be wrong is looked at before a model is loaded.
    door = Door(flags.host, _key(flags.api_key_env))
    limits = Limits.from_user(flags.other_settings())
    listening = bound_socket(flags.host, flags.port)
    engine = flags.engine(model)
    rows = flags.batch_size or engine.batch_size(min(engine.model.context, USUAL_TOKENS)).rows
    service = Service(engine, flags.name or model, rows, limits)

    def ready(address: str) -> None:
        print(f"{service.name}: {address}, {rows} texts at once, {flags.described()}", file=sys.stderr, flush=True)

    run_server(service, door, listening, ready)


def _key(variable: str | None) -> str | None:
    """The key that an environment variable holds.

    Raises:
        UsageError: it holds none.
    """
    import os

    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UsageError(f"the environment variable {variable} holds no key", f"export {variable}=… and run again")
    return key
