"""One row that a server writes: chunks of tokens come in, and the row goes back by itself where it must."""

import hashlib
import math
from collections.abc import Mapping
from contextlib import closing
from threading import Event
from typing import Any

import torch

from planish.errors import ModelError
from planish.models.endpoint import Endpoint
from planish.models.token_stream import Lost, Served, Written
from planish.models.tokens import Tokens
from planish.steer.alternatives import Alternatives
from planish.steer.batch import LEAST_LEFT, REWINDS, REWINDS_PER_TOKEN
from planish.steer.noise import gumbel
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.steer import MODEL, Rewind, Step
from planish.steer.writing import Found, end, write

# How many tokens are asked for at once: twice as many after each chunk without a hit, half as many after a hit. A hit
# hangs up, so that more is wasted only where something before the server keeps it from noticing.
FIRST_CHUNK, LEAST_CHUNK = 64, 16
# The most that a bias can take from a token in OpenAI's protocol.
NEVER = -100


class ServedRow:
    """Writes one row to its end, on one server, unless that is cancelled."""

    def __init__(self, row: Row, plan: Plan, endpoint: Endpoint, tokens: Tokens, is_cancelled: Event) -> None:
        self.row = row
        self._plan = plan
        self._endpoint = endpoint
        self._tokens = tokens
        self._is_cancelled = is_cancelled
        self._alternatives = Alternatives(row, endpoint, tokens, plan.sampling.min_tokens)

    def write(self) -> None:
        """Write the row to its end.

        Raises:
            ModelError: the server fails.
        """
        chunk = FIRST_CHUNK
        while self.row.finish is None and not self._is_cancelled.is_set():
            rewinds = self.row.rewinds
            self._read(chunk)
            chunk = chunk * 2 if self.row.rewinds == rewinds else max(LEAST_CHUNK, chunk // 2)

    def _read(self, chunk: int) -> None:
        """Let the server go on, until the row goes back, or ends, or so many tokens are written."""
        position, before = len(self.row.tokens), self.row.ids(MODEL)
        wanted = min(chunk, self.row.limit - position)
        if position < self._plan.sampling.min_tokens:
            # From there on the text may end, so what may not stand there changes.
            wanted = min(wanted, self._plan.sampling.min_tokens - position)
        settings = {
            "max_tokens": wanted,
            "seed": self._seed(),
            "logit_bias": {str(token): NEVER for token in self._alternatives.never(position)},
            **_sampling_fields(self._plan.sampling, len(before) + wanted),
        }
        with closing(self._endpoint.stream(before, settings)) as answers:
            for answer in answers:
                wanted -= isinstance(answer, Written)
                if self._is_cancelled.is_set() or not self._goes_on_after(answer, wanted):
                    return

    def _goes_on_after(self, answer: Served, wanted: int) -> bool:
        """Take what the server says; `wanted` is how many tokens more it was asked for."""
        if isinstance(answer, Written):
            self._alternatives.note(answer.candidates)
            return self._settle(self._write(answer.id, answer.candidates)) and self.row.finish is None
        if isinstance(answer, Lost):
            # The server drew one of those that leave a character unfinished, and does not say which.
            candidates = self._alternatives.unfinished()
            self._settle(self._write(self._draw(candidates), candidates))
        elif answer.finish not in ("stop", "length"):
            raise ModelError(f"the server ended a text by {answer.finish!r}", "its log may say why")
        elif answer.finish == "stop" or wanted:
            # It knows another end than we do, or its context is full.
            self._settle(end(self._plan, self.row, "stop" if answer.finish == "stop" else "length"))
        return False

    def _write(self, token: int, candidates: Mapping[int, float]) -> Found:
        return write(self._tokens, self._plan, self.row, token, math.exp(candidates[token]))

    def _settle(self, found: Found) -> bool:
        """Go back, and draw again, until nothing more is found; whether that was so from the beginning."""
        rewinds = self.row.rewinds
        while self._goes_back(found):
            candidates = self._alternatives.at(len(self.row.tokens))
            found = self._write(self._draw(candidates), candidates)
        return self.row.rewinds == rewinds

    def _goes_back(self, found: Found) -> bool:
        """Let every steer see what was written, and go back as far as the first asks that can be followed."""
        if not any(found):
            return False
        asked: list[Rewind] = []
        for steer, spans in zip(self._plan.steers, found, strict=True):
            asked += steer.review(Step([self.row], {}, torch.empty(0), [spans]))
        for rewind in sorted(asked, key=lambda rewind: rewind.position):
            position = rewind.position
            while position >= 0 and not self._can_draw_again(position, rewind.retries):
                position -= 1
            if position >= 0 and self.row.rewinds < REWINDS_PER_TOKEN * self.row.limit + REWINDS:
                self.row.rewind(position, rewind.rule)
                return True
            self.row.let_pass(rewind.position, rewind.rule)
        return False

    def _can_draw_again(self, position: int, retries: int) -> bool:
        if len(self.row.rejected.get(position, ())) >= retries:
            return False
        left = self._alternatives.at(position)
        left.pop(self.row.tokens[position], None)
        return sum(map(math.exp, left.values())) >= LEAST_LEFT

    def _draw(self, candidates: Mapping[int, float]) -> int:
        """One of these, under the user's settings, with the row's own noise at its next position."""
        ids = sorted(candidates)
        logits = self._plan.sampling.truncate(torch.tensor([[candidates[token] for token in ids]]))
        if self._plan.sampling.temperature > 0:
            logits = logits + gumbel([self._key], ids[-1] + 1, logits.device)[:, ids]
        return ids[int(logits.argmax(-1))]

    @property
    def _key(self) -> tuple[object, ...]:
        """What the next draw depends on, besides the probabilities."""
        row = self.row
        return (row.seed, row.prompt.id, row.sample, len(row.tokens), row.rewinds)

    def _seed(self) -> int:
        digest = hashlib.blake2b(repr(self._key).encode(), digest_size=4).digest()
        return int.from_bytes(digest, "little") >> 1


def _sampling_fields(sampling: Sampling, tokens: int) -> dict[str, Any]:
    """The user's settings as servers take them; all are said, since servers have defaults of their own."""
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": sampling.min_p,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        # By vLLM's name, and by llama.cpp's, which has to be told how far to look back and in which order to go.
        "repetition_penalty": sampling.repetition_penalty,
        "repeat_penalty": sampling.repetition_penalty,
        "repeat_last_n": tokens,
        "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
    }
