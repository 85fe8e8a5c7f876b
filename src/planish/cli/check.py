"""`planish check`."""

import json as json_format
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from planish.errors import PlanishError

if TYPE_CHECKING:
    from planish.prove.machine import Machine


def check(json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Say what this machine can do, and attack the sandboxes for model-written code to see whether they hold."""
    from planish.prove.machine import check_machine

    machine = check_machine(lambda line: print(line, file=sys.stderr, flush=True))
    if json:
        print(json_format.dumps(_as_json(machine)))
    else:
        _show(machine)
    for sandbox in machine.sandboxes:
        if sandbox.broken_by:
            raise PlanishError(
                f"the sandbox {sandbox.kind} does not contain: {', '.join(sandbox.broken_by)}",
                "pip install --upgrade 'planish[sandbox]', and run no model-written code until this holds",
            )


def _show(machine: "Machine") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"[bold]device[/]  {escape(machine.device)}")
    console.print()
    extras = Table("extra", "missing", "add it with", box=None, pad_edge=False)
    for extra in machine.extras:
        extras.add_row(extra.name, escape(", ".join(extra.missing)) or "–", escape(extra.add) if extra.missing else "")
    console.print(extras)
    console.print()
    offered = [sandbox for sandbox in machine.sandboxes if not sandbox.missing]
    attacks = Table("a verifier that tries", *(f"in {sandbox.kind}" for sandbox in offered), box=None, pad_edge=False)
    for results in zip(*(sandbox.attacks for sandbox in offered), strict=True):
        shown = ["[green]contained[/]" if one.contained else f"[red]{escape(one.detail)}[/]" for one in results]
        attacks.add_row(f"{escape(results[0].tries)} ({escape(results[0].name)})", *shown)
    if offered:
        console.print(attacks)
        console.print()
    for sandbox in machine.sandboxes:
        held = len(sandbox.attacks) - len(sandbox.broken_by)
        state = f"needs {sandbox.missing}" if sandbox.missing else f"{held} of {len(sandbox.attacks)} attacks contained"
        console.print(f"[bold]sandbox {escape(sandbox.kind)}[/]  {escape(state)}", soft_wrap=True)


def _as_json(machine: "Machine") -> dict[str, object]:
    sandboxes = [
        {"kind": kind, "missing": missing, "attacks": [attack._asdict() for attack in attacks]}
        for kind, missing, attacks in machine.sandboxes
    ]
    return {
        "device": machine.device,
        "extras": [extra._asdict() for extra in machine.extras],
        "sandboxes": sandboxes,
    }
