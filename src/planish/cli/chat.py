"""`planish chat MODEL`."""

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from planish.cli.steering_flags import WRITING, WritingFlags, WritingModel
from planish.cli.terminal_text import harmless

if TYPE_CHECKING:
    from planish.records.prompt import Message
    from planish.steer.engine import Engine

HELP = "/reset forgets the conversation, /exit (or Ctrl+D) leaves, Ctrl+C stops an answer"


@dataclass(frozen=True)
class ChatFlags(WritingFlags):
    """How a model is steered and how it answers."""

    system: Annotated[str | None, typer.Option(help="A system turn in front.", rich_help_panel=WRITING)]


def chat(flags: ChatFlags, model: WritingModel) -> None:
    """Talk with a model while it is steered."""
    engine = flags.engine(model, flags.sampling())
    talk = Talk(engine, flags.seed, flags.system)
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        import readline  # noqa: F401 - it gives the prompt its arrow keys and its history

        print(f"{model}, {flags.described()}\n{HELP}", file=sys.stderr)
    else:
        print(flags.described(), file=sys.stderr)
    while (said := _next_turn(is_terminal)) is not None:
        if not said.strip():
            continue
        if said.strip() == "/exit":
            return
        if said.strip() == "/reset":
            talk.reset()
            print("a new conversation", file=sys.stderr)
        elif said.strip().startswith("/"):
            print(HELP if said.strip() == "/help" else f"there is no {said.strip()}; {HELP}", file=sys.stderr)
        else:
            talk.answer(said)


@dataclass
class Talk:
    """A conversation, shown as it goes on."""

    engine: "Engine"
    seed: int
    system: str | None
    turns: "list[Message]" = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        self.reset()

    def reset(self) -> None:
        """Forget everything but the system turn."""
        from planish.records.prompt import Message

        self.turns = [] if self.system is None else [Message(role="system", content=self.system)]

    def answer(self, said: str) -> None:
        """Answer a turn. What was shown of an answer that is stopped stays in the conversation."""
        from planish.records.prompt import Message, Prompt

        turns = [*self.turns, Message(role="user", content=said)]
        shown = ""
        words = self.engine.stream(Prompt(messages=tuple(turns)), self.seed)
        try:
            while True:
                piece = next(words)
                print(harmless(piece), end="", flush=True)
                shown += piece
        except StopIteration as end:
            print()
            if end.value.error:
                print(f"planish: {end.value.error}\n  next: /reset", file=sys.stderr)
                return
        except KeyboardInterrupt:
            print(" … stopped", file=sys.stderr)
        self.turns = [*turns, Message(role="assistant", content=shown)]


def _next_turn(is_terminal: bool) -> str | None:
    """What the user says next; None at the end."""
    try:
        return input("> " if is_terminal else "")
    except EOFError:
        if is_terminal:
            print(file=sys.stderr)
        return None
