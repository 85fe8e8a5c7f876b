"""The beams of several prompts on their way together: what they read, and which tokens they take."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from planish.errors import UsageError
from planish.models.language_model import LanguageModel
from planish.steer.beam_group import Beam, BeamGroup
from planish.steer.draw import NOT_NUMBERS, NOTHING_LEFT
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.single_rows import rows_of
from planish.steer.stages import Stages
from planish.steer.steer import MODEL, Rewind, Step
from planish.steer.writing import write

# So many candidates of a group may be refused at one position before the best of them is let pass.
MOST_REFUSED = 32


class BeamBatch:
    """The rows that the live beams stand on, in every model's cache. At first there is one for each prompt.

    Axes: `B` rows, `V` vocabulary, `L` beams of a group.
    """

    def __init__(
        self, models: Mapping[str, LanguageModel], plan: Plan, prompts: Sequence[Row], diversity_penalty: float
    ) -> None:
        self.prompts = prompts
        self._rows = list(prompts)
        self._plan = plan
        self._diversity_penalty = diversity_penalty
        self._models = models
        self._caches = {name: rows_of(model) for name, model in models.items()}
        for name, cache in self._caches.items():
            # All but the last token: that one is read in the step, as every other row's last token is.
            longest = max(len(row.prompt_ids[name]) + row.limit for row in prompts)
            cache.add_rows([row.prompt_ids[name][:-1] for row in prompts], longest)

    def step(self, groups: Sequence[Sequence[BeamGroup]]) -> None:
        """Take every group one token further; `groups` has some for each prompt."""
        model = self._models[MODEL]
        hidden = {
            name: cache.feed([(row.last_id(name),) for row in self._rows]) for name, cache in self._caches.items()
        }
        logits = {name: self._models[name].head(states)[:, : model.vocabulary] for name, states in hidden.items()}
        step = Step(self._rows, logits, hidden[MODEL])
        scores = self._scores(step)
        for prompt, of_prompt in zip(self.prompts, groups, strict=True):
            self._advance(prompt, of_prompt, step, scores)
        beams = [beam for of_prompt in groups for group in of_prompt for beam in group.live]
        self._move([beam.place for beam in beams], scores)
        for place, beam in enumerate(beams):
            beam.place = place
        self._rows = [beam.row for beam in beams]

    def _move(self, places: Sequence[int], scores: Tensor) -> None:
        """Let the caches follow the beams."""
        broken = scores.isnan().any(-1).nonzero()[:, 0].tolist()
        for cache in self._caches.values():
            for place in broken:
                cache.wipe(place)
            cache.keep_rows(places)

    def _scores(self, step: Step) -> Tensor:
        """Log-probabilities as the steers mix them, (B, V); -inf where a token may not stand."""
        stages = Stages(self._plan, step)
        mixed = stages.run("mix")
        logits = stages.run("forbid").clone()
        if stages.asking:
            name = type(stages.asking[0]).__name__
            raise UsageError(f"{name} wants to go back, which beams cannot", "leave it out")
        logits[:, list(self._models[MODEL].tags.values())] = -torch.inf
        prompts, texts = [row.prompt_ids[MODEL] for row in self._rows], [row.tokens for row in self._rows]
        sampling, end_ids = self._plan.sampling, self._models[MODEL].end_ids
        allowed = sampling.penalise(logits, prompts, texts, end_ids, [sampling.min_tokens] * len(texts))
        return allowed - mixed.logsumexp(-1, keepdim=True)

    def _advance(self, prompt: Row, groups: Sequence[BeamGroup], step: Step, scores: Tensor) -> None:
        """Take the groups of one prompt further, one after the other."""
        taken = torch.zeros_like(scores[0])
        broken = False
        for group in groups:
            if group.live:
                own = scores[[beam.place for beam in group.live]]
                broken |= bool(own.isnan().any())
                group.advance(self._candidates(group, own, own - self._diversity_penalty * taken, step))
                for beam in group.live:
                    taken[beam.row.tokens[-1]] += 1
        if not any(group.live or group.finished for group in groups):
            prompt.fail(NOT_NUMBERS if broken else NOTHING_LEFT)

    def _candidates(self, group: BeamGroup, scores: Tensor, preferences: Tensor, step: Step) -> Iterator[Beam]:
        """The group's beams with one token more, best first; those that no steer would have go back.

        Args:
            group: the group.
            scores: what a token adds to a beam's score, (L, V).
            preferences: the same, as far as the order goes, (L, V).
            step: what the beams' rows saw.
        """
        parents, vocabulary = group.live, scores.shape[1]
        before = torch.tensor([[beam.score] for beam in parents], dtype=torch.float64, device=scores.device)
        totals = (before + preferences).nan_to_num(nan=-torch.inf, neginf=-torch.inf).flatten()
        # Enough that the beams can go on even if each of them could end in every way there is.
        enough = max(2, 1 + len(self._models[MODEL].end_ids)) * group.width
        best = totals.topk(min(enough + MOST_REFUSED * bool(self._plan.steers), len(totals)))
        added = scores.flatten()[best.indices].tolist()
        refused: tuple[Beam, Rewind] | None = None
        is_any_taken = False
        for total, index, score in zip(best.values.tolist(), best.indices.tolist(), added, strict=True):
            if total == -torch.inf:
                break
            beam, rewinds = self._written(parents[index // vocabulary], index % vocabulary, score, step)
            if not rewinds:
                is_any_taken = True
                yield beam
            elif refused is None:
                refused = beam, rewinds[0]
        if refused is not None and not is_any_taken:
            beam, rewind = refused
            beam.row.let_pass(rewind.position, rewind.rule)
            yield beam

    def _written(self, parent: Beam, token: int, score: float, step: Step) -> tuple[Beam, Sequence[Rewind]]:
        """A beam with a token more, and what the steers say to it."""
        row = parent.row.fork()
        spans = write(self._models[MODEL], self._plan, row, token, math.exp(score))
        here = slice(parent.place, parent.place + 1)
        logits = {name: scores[here] for name, scores in step.logits.items()}
        rewinds = [
            rewind
            for at, steer in enumerate(self._plan.steers)
            for rewind in steer.review(Step([row], logits, step.hidden[here], [spans[at]]))
        ]
        return Beam(row, parent.score + score, parent.length + 1, parent.place), rewinds
