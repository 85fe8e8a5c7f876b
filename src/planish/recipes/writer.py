"""Who writes the texts that a recipe learns from: the weights that are here, or a server that has the same."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

import torch

from planish.errors import UsageError
from planish.models.bundled import bundled_model
from planish.models.endpoint import Endpoint
from planish.models.language_model import LanguageModel
from planish.models.server_process import ServerProcess, free_port, vllm_command
from planish.recipes.engine_settings import LOCAL, VLLM, EngineSettings
from planish.recipes.same_model import require_same_model
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.steer.engine import Engine
from planish.steer.replicas import on_all_cards
from planish.steer.sampling import Sampling
from planish.steer.served import ServedEngine
from planish.steer.steer import Steer

# Of the free memory of a graphics card, what a server may take: the rest is for the weights that are here.
SERVER_SHARE = 0.85
# In tokens: room for what a server is asked to show that it has the same model.
LEAST_CONTEXT = 512


class TextEngine(Protocol):
    """Writes texts for prompts."""

    def generate(self, prompts: Sequence[Prompt], samples: int = 1, seed: int = 0) -> list[Generation]:
        """`samples` texts for every prompt, in the order of the prompts."""


class Writer:
    """Engines of one model, all local or all on one server; from `with` to its end.

    A server is reached when the first text is asked for, and then must have the same model. One that is started here is
    stopped at the end, or before that by `close`; one that was there is left as it is. Only the texts to learn from are
    written by it: texts before and after are judged against each other, no server that others started could load what
    was trained, and so the local engine writes both.

    Args:
        model: is served, or runs here.
        settings: which of it.
        sampling: how texts are drawn.
        prompts: all that texts will be written for: their lengths are what a server needs room for.
        log_file: takes what a server prints that is started here; by default a new temporary file.

    Raises:
        UsageError: the model has no files, so that it cannot be served.
        MissingPackageError: vLLM is not installed.
    """

    def __init__(
        self,
        model: LanguageModel,
        settings: EngineSettings,
        sampling: Sampling | None,
        prompts: Sequence[Prompt],
        log_file: Path | None = None,
    ) -> None:
        self._model = model
        self._settings = settings
        self._sampling = sampling or Sampling()
        self._server: ServerProcess | None = None
        self._endpoint: Endpoint | None = None
        self._is_reached = False
        self._open = ExitStack()
        if settings.engine == VLLM:
            port = free_port()
            command = _command(model, port, self._sampling, prompts)
            self._server = ServerProcess(command, f"http://127.0.0.1:{port}", log_file or _new_log_file())
            self._endpoint = Endpoint(self._server.url, is_alive=self._server.is_alive)
        elif settings.engine != LOCAL:
            self._endpoint = Endpoint(settings.engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what was started here."""
        self.close()

    def close(self) -> None:
        """Stop the server that was started here: its memory is needed. If it is asked again, it starts again."""
        self._open.close()
        self._is_reached = False

    def engine(self, steers: Sequence[Steer] = ()) -> TextEngine:
        """An engine under some steers; a server is not asked yet.

        Raises:
            UsageError: a steer or a setting needs more than a server gives.
        """
        if self._endpoint is None:
            return on_all_cards(Engine(self._model, steers, self._sampling))
        engine = ServedEngine(self._endpoint, self._model, steers, self._sampling, self._settings.concurrency)
        return _OnServer(self, self._endpoint, engine)

    def reach(self) -> None:
        """Start the server, if it is to be started here, and make sure that it has the same model.

        Raises:
            ModelError: it cannot be started or reached, or has another model.
        """
        if self._endpoint is None or self._is_reached:
            return
        if self._server is not None:
            self._open.enter_context(self._server)
        self._endpoint.check()
        require_same_model(self._endpoint, self._model)
        self._is_reached = True


class _OnServer:
    """A served engine that does not take the death of its server for failures of its texts."""

    def __init__(self, writer: Writer, endpoint: Endpoint, engine: ServedEngine) -> None:
        self._writer = writer
        self._endpoint = endpoint
        self._engine = engine

    def generate(self, prompts: Sequence[Prompt], samples: int = 1, seed: int = 0) -> list[Generation]:
        """Write texts.

        Raises:
            ModelError: the server cannot be reached, at the beginning or any more: then these texts count for nothing,
                and are to be written again.
        """
        self._writer.reach()
        texts = self._engine.generate(prompts, samples, seed)
        if any(text.status == "failed" for text in texts):
            self._endpoint.check()
        return texts


def write_all(
    models: Sequence[LanguageModel],
    prompts: Sequence[Prompt],
    samples: int,
    sampling: Sampling | None,
    seed: int,
    settings: EngineSettings | None,
) -> list[list[Generation]]:
    """What each of several models writes, all by one kind of engine; a server is started for one after the other.

    Raises:
        UsageError: the engine is a server that is there already, and so has one model.
        ModelError: a server cannot be started.
    """
    settings = settings or EngineSettings()
    settings.require_one_for_each()
    texts = []
    for model in models:
        with Writer(model, settings, sampling, prompts) as writer:
            texts.append(writer.engine().generate(prompts, samples, seed))
    return texts


def _command(model: LanguageModel, port: int, sampling: Sampling, prompts: Sequence[Prompt]) -> list[str]:
    if model.name == "tiny":
        raise UsageError(f"{model.name!r} is made up when it is loaded: a server finds no files of it", "give a folder")
    longest = max((len(model.encode(prompt)) for prompt in prompts), default=0)
    # A long context, as many models have one, may not fit into the memory that is free.
    room = max(LEAST_CONTEXT, longest + sampling.max_tokens)
    extra = ["--max-model-len", str(min(model.context, room))]
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        extra += ["--gpu-memory-utilization", f"{SERVER_SHARE * free / total:.2f}"]
    return vllm_command(str(bundled_model()) if model.name == "bundled" else model.name, port, *extra)


def _new_log_file() -> Path:
    with tempfile.NamedTemporaryFile(prefix="planish-server-", suffix=".log", delete=False) as file:
        return Path(file.name)
