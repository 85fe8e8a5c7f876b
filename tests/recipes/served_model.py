"""Models behind servers: what a fake one foresees, and a real llama.cpp server in a process of its own."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from fake_server import FakeServer
from planish.models.language_model import LanguageModel
from planish.models.server_process import ServerProcess

LLAMA = Path(__file__).parents[1] / "llama_server.py"
# More than a server shows.
FORESEEN = 40


def served_by(model: LanguageModel) -> Callable[[Sequence[int]], Mapping[int, float]]:
    """What a fake server has to say to have this model; it always writes the likeliest token."""

    def foresee(before: Sequence[int]) -> Mapping[int, float]:
        with torch.no_grad():
            logits = model.model(torch.tensor([list(before)])).logits[0, -1].float()
        top = logits.softmax(-1).topk(FORESEEN)
        return dict(zip(top.indices.tolist(), top.values.tolist(), strict=True))

    return foresee


def llama_command(model: str, port: int) -> list[str]:
    return [sys.executable, str(LLAMA), model, str(port)]


def llama_process(model: str, port: int, folder: Path) -> ServerProcess:
    return ServerProcess(llama_command(model, port), f"http://127.0.0.1:{port}", folder / f"llama-{port}.log")


class FakeServerAt(FakeServer):
    """A fake server at an address where there was one before."""

    def __init__(self, model: Callable[[Sequence[int]], Mapping[int, float]], port: int) -> None:
        self._port = port
        super().__init__(model, [], None)

    def server_bind(self) -> None:
        self.server_address = ("127.0.0.1", self._port)
        super().server_bind()
