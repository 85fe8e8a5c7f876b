"""What the README and the documentation tell people to type is what planish understands."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from planish.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMANDS = typer.main.get_command(app)


def commands(page: Path) -> list[str]:
    """Every line of a block that calls planish, its continuations joined and its comment gone."""
    blocks = (block.replace("\\\n", " ") for block in FENCED.findall(page.read_text(encoding="utf-8")))
    return [line for block in blocks for line in block.splitlines() if re.match(r"(\S+=\S+ )*planish \w", line)]


SHOWN = [(page.name, command) for page in PAGES for command in commands(page)]


def test_there_are_commands_to_be_read() -> None:
    assert {"README.md", "training.md"} <= {page for page, _ in SHOWN}


@pytest.mark.parametrize(("page", "command"), SHOWN)
def test_every_command_is_one_that_can_be_typed(page: str, command: str) -> None:
    _, *given = shlex.split(command[command.index("planish ") :], comments=True)
    verb, context = COMMANDS, typer.Context(COMMANDS)
    while hasattr(verb, "commands"):
        name, *given = given
        assert name in verb.commands, f"{page}: there is no {name}"
        verb = verb.commands[name]
    # Fails where a flag is unknown, an argument is missing, or a value is of another type; runs nothing.
    verb.make_context(str(verb.name), given, parent=context)
