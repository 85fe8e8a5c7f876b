"""The model that writes instructions, verifiers and cases: the one that is trained, or one behind a server."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from planish.errors import DataError, ModelError, UsageError
from planish.models.chat_endpoint import ChatEndpoint
from planish.models.connection import base_of
from planish.models.language_model import LanguageModel
from planish.models.reply_store import ReplyStore
from planish.recipes.asking import Asker, ReplySource
from planish.recipes.calls import Calls
from planish.recipes.engine_settings import ADDRESS
from planish.records.reply import Draw, Reply
from planish.runs.run import Run
from planish.steer.local_chat import LocalChat

SELF = "self"
# All replies of a run, and the name of the model of a server that was not named by the user.
REPLIES, NAME = "replies.jsonl", "generator.txt"


def _known(generator: str) -> str:
    if generator != SELF:
        if not ADDRESS.fullmatch(generator):
            raise UsageError(
                f"generator = {generator!r} is neither {SELF} nor the address of a server",
                f"write {SELF}, or an address like http://localhost:8000/v1",
            )
        base_of(generator)
    return generator


# How a setting names it: self, or the URL of an OpenAI-compatible chat server.
GeneratorSetting = Annotated[str, AfterValidator(_known)]


class Generator(NamedTuple):
    """Who is asked, and in which words."""

    asker: Asker
    calls: Calls


def open_generator(
    run: Run,
    generator: GeneratorSetting,
    model: Callable[[], LanguageModel],
    *,
    name: str | None = None,
    concurrency: int = 8,
    seed: int = 0,
    is_recorded: bool = False,
) -> Generator:
    """The generator of a run, whose replies are kept in the run's folder.

    Neither is the model loaded nor the server asked for an answer before a first reply is missing.

    Args:
        run: is open.
        generator: the setting.
        model: loads the model that is trained.
        name: of the model on the server; by default the only one that it has, which is asked once in a run.
        concurrency: replies that a server is asked for at the same time.
        seed: of the draws.
        is_recorded: nobody is asked; a reply that is missing is an error.

    Raises:
        UsageError: a model is named, and there is no server.
        DataError: the name of the recorded model is missing.
        ModelError: the server cannot be reached, or has several models and none is named.
    """
    if generator == SELF and name is not None:
        raise UsageError(f"the model {name!r} is on no server", f"name its server too, or leave {name!r} out")
    known = SELF if generator == SELF else name or _recorded_name(run) or _served_name(run, generator, is_recorded)
    source = None if is_recorded else _Late(lambda: _source(generator, model, concurrency))
    return Generator(Asker(ReplyStore(run.path / REPLIES), source), Calls(known, seed))


class _Late:
    """A source that is made when the first reply is missing."""

    def __init__(self, make: Callable[[], ReplySource]) -> None:
        self._make = make
        self._made: ReplySource | None = None

    def replies(self, draws: Sequence[Draw]) -> Iterator[Reply]:
        """See `ReplySource`."""
        if self._made is None:
            self._made = self._make()
        return self._made.replies(draws)


def _source(generator: str, model: Callable[[], LanguageModel], concurrency: int) -> ReplySource:
    return LocalChat(model()) if generator == SELF else ChatEndpoint(generator, concurrency)


def _recorded_name(run: Run) -> str:
    path = run.path / NAME
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _served_name(run: Run, url: str, is_recorded: bool) -> str:
    """The only model of a server. It is written down: a finished run is read again without the server."""
    if is_recorded:
        raise DataError(f"{run.path} does not say which model it was recorded with", "name it with --generator-model")
    served = ChatEndpoint(url).served()
    if len(served) != 1:
        raise ModelError(
            f"{url} serves {len(served)} models: {', '.join(served) or 'none'}", "name one with --generator-model"
        )
    run.file(NAME, f"{served[0]}\n")
    return served[0]
