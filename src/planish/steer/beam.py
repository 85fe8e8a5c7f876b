"""Beam search: the likeliest whole texts, several of them carried along at once."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from planish.errors import UsageError
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.steer.beam_batch import BeamBatch
from planish.steer.beam_group import Beam, BeamGroup
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.steer import Steer

# What says how a token is drawn, and so nothing here.
DRAWING = ("temperature", "top_k", "top_p", "min_p")


class Scored(NamedTuple):
    """A text, and what it is ranked by: the sum of its log-probabilities, over its length ** the length penalty."""

    generation: Generation
    score: float


class BeamSearch:
    """Searches the likeliest texts of a model, with its companions in lock step, under steers.

    A candidate after which a steer would have the text go back, such as one that completes a banned span, is not taken;
    where none is left, the best of them is let pass, counted. Scores are those of the distribution that the steers of
    stage `mix` leave; what is forbidden leaves them as they are.

    With several groups, each is a search of its own over its share of the beams. A token that beams of earlier groups
    have just taken at this position is chosen as if it were less likely; scores say how likely it is.

    Args:
        model: the model.
        steers: of the stages `mix` and `forbid`.
        sampling: lengths, penalties and stop strings; nothing is drawn.
        beams: texts carried along for each prompt, in all groups together.
        groups: how many.
        diversity_penalty: taken off a token's log-probability for each beam of an earlier group that has taken it.
        length_penalty: 0 ranks finished texts by their probability, 1 by that of an average token; more favours longer.
        batch_size: how many beams of all prompts are decoded at once; None for as many as surely fit.

    Raises:
        UsageError: the groups do not divide the beams, or have no diversity penalty, or there is but one and it has; a
            steer is none for beams; or the sampling says how to draw.

    Source: Vijayakumar et al., Diverse beam search (2018), algorithm 1, with Hamming diversity; when to stop, and which
    ended texts count, is as in transformers with `early_stopping=False`.
    """

    def __init__(
        self,
        model: LanguageModel,
        steers: Sequence[Steer] = (),
        sampling: Sampling | None = None,
        *,
        beams: int = 5,
        groups: int = 1,
        diversity_penalty: float = 0.0,
        length_penalty: float = 1.0,
        batch_size: int | None = None,
    ) -> None:
        if beams < 1 or groups < 1 or beams % groups:
            raise UsageError(f"{beams} beams do not fall into {groups} groups", "make beams a multiple of groups")
        if diversity_penalty < 0 or (groups > 1) != (diversity_penalty > 0):
            raise UsageError(
                f"{groups} groups do not go with a diversity penalty of {diversity_penalty}",
                "several groups take a penalty above 0, one group none",
            )
        for steer in steers:
            if steer.stage == "cap":
                name = type(steer).__name__
                raise UsageError(f"{name} may want to go back, which beams cannot", f"leave {name} out, or draw texts")
        self.engine = Engine(model, steers, sampling, batch_size)
        _refuse_drawing(self.engine.sampling)
        self.model = model
        self.beams = beams
        self.groups = groups
        self.diversity_penalty = diversity_penalty
        self.length_penalty = length_penalty
        self._plan = self.engine.plan()

    def generate(self, prompts: Sequence[Prompt]) -> list[list[Generation]]:
        """The texts for each prompt, best first: at most as many as there are beams. `sample` is a text's rank.

        A prompt that cannot be decoded comes back as one failed generation and stops nothing else.
        """
        return [[text.generation for text in texts] for texts in self.search(prompts)]

    @torch.no_grad()
    def search(self, prompts: Sequence[Prompt]) -> list[list[Scored]]:
        """The same, with their scores."""
        rows = [self.engine.row(prompt, sample=0, seed=0, plan=self._plan) for prompt in prompts]
        sound = [row for row in rows if row.finish is None]
        found: dict[int, list[Beam]] = {}
        if sound:
            longest = max(len(ids) + row.limit for row in sound for ids in row.prompt_ids.values())
            block = max(1, self.engine.batch_size(longest).rows // self.beams)
            for start in range(0, len(sound), block):
                searched = sound[start : start + block]
                found |= {id(row): beams for row, beams in zip(searched, self._finished(searched), strict=True)}
        return [self._scored(row, found.get(id(row), [])) for row in rows]

    def _scored(self, row: Row, beams: Sequence[Beam]) -> list[Scored]:
        """A prompt's finished beams as records; if there are none, its own row, which has failed."""
        for rank, beam in enumerate(beams):
            beam.row.sample = rank
        generations = self.engine.generations([beam.row for beam in beams] or [row])
        scores = [beam.value(self.length_penalty) for beam in beams] or [-math.inf]
        return [Scored(*text) for text in zip(generations, scores, strict=True)]

    def _finished(self, prompts: Sequence[Row]) -> list[list[Beam]]:
        """The finished beams of each of these prompts, best first."""
        width = self.beams // self.groups
        groups = [
            [BeamGroup(row, place, width, self.length_penalty) for _ in range(self.groups)]
            for place, row in enumerate(prompts)
        ]
        batch = BeamBatch(self.engine.models, self._plan, prompts, self.diversity_penalty)
        while any(group.live for of_prompt in groups for group in of_prompt):
            batch.step(groups)
        return [
            sorted(
                (beam for group in of_prompt for beam in group.finished),
                key=lambda beam: beam.value(self.length_penalty),
                reverse=True,
            )
            for of_prompt in groups
        ]


def _refuse_drawing(sampling: Sampling) -> None:
    plain = Sampling()
    for name in DRAWING:
        if getattr(sampling, name) != getattr(plain, name):
            raise UsageError(
                f"{name} = {getattr(sampling, name)} says how to draw a token, and beams draw none", f"leave {name} out"
            )
