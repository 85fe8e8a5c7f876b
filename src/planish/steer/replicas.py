"""Several graphics cards: the model on each of them, and the rows dealt out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import torch

from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.steer.engine import Engine


class Replicas:
    """Engines with the same weights on several devices. They write the same texts as one of them alone."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = engines

    def generate(
        self, prompts: Sequence[Prompt], samples: int = 1, seed: int = 0, top: int | None = None
    ) -> list[Generation]:
        """As `Engine.generate` does, with every n-th prompt on each of n devices."""
        many = len(self.engines)
        with ThreadPoolExecutor(many) as threads:
            dealt = [
                threads.submit(engine.generate, prompts[start::many], samples, seed, top)
                for start, engine in enumerate(self.engines)
            ]
        written = [each.result() for each in dealt]
        texts = (
            written[place % many][place // many * samples : (place // many + 1) * samples]
            for place in range(len(prompts))
        )
        return list(chain.from_iterable(texts))


def on_all_cards(engine: Engine) -> Engine | Replicas:
    """The engine with a replica on every other graphics card; the engine itself where there is no other."""
    own = engine.model.device
    if own.type != "cuda" or torch.cuda.device_count() < 2:
        return engine
    others = (torch.device("cuda", index) for index in range(torch.cuda.device_count()))
    return Replicas([engine, *(engine.on(device) for device in others if device != own)])
