"""Where the texts are written that a recipe learns from."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from planish.config import Settings
from planish.errors import UsageError
from planish.models.connection import base_of

LOCAL, VLLM = "local", "vllm"
# `http://host`, `host:8000` or `host:8000/v1`; a single word is none, so that a slip of the finger is not looked for on
# the network.
ADDRESS = re.compile(r"[a-z]+://.+|[^/]+:\d+(/.*)?", re.IGNORECASE)


def _known(engine: str) -> str:
    if engine not in (LOCAL, VLLM):
        if not ADDRESS.fullmatch(engine):
            raise UsageError(
                f"engine = {engine!r} is neither {LOCAL}, nor {VLLM}, nor the address of a server",
                f"write {LOCAL}, {VLLM}, or an address like http://localhost:8000/v1",
            )
        base_of(engine)
    return engine


class EngineSettings(Settings):
    """The engine for the heavy writing, and how much it does at once."""

    engine: Annotated[str, AfterValidator(_known)] = LOCAL
    """local; vllm, started for the writing and stopped after it; or the URL of an OpenAI-compatible server that has the
    same model."""
    concurrency: int = Field(default=8, ge=1)
    """Texts that a server is asked for at the same time."""

    def require_local(self, why: str) -> None:
        """Refuse any server.

        Raises:
            UsageError: another engine is set.
        """
        if self.engine != LOCAL:
            raise UsageError(f"engine = {self.engine!r}: {why}", "decode with the local engine (--engine local)")

    def require_one_for_each(self) -> None:
        """Refuse a server that others started: it has one model, and several are to write.

        Raises:
            UsageError: the engine is the address of one.
        """
        if self.engine not in (LOCAL, VLLM):
            raise UsageError(
                f"engine = {self.engine!r}: a server has one model, and two are compared",
                f"--engine {LOCAL}, or --engine {VLLM}, which is started for each",
            )
