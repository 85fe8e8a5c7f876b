"""One text while it is being written: a path through a tree, with the branches that were given up."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal

from planish.records.generation import Event, Generation
from planish.records.prompt import Prompt

# So many ids of context let the next one decode as it would in the whole text.
WINDOW = 8


@dataclass
class Row:
    """The text so far, and everything needed to go back in it. Steers read it; only the engine writes it.

    Lists with an entry a token: `tokens`, `pieces` (the characters it added), `probabilities` (before anything was
    forbidden or cut off) and `states` (of the steers' matchers). `rejected[position]` holds the tokens that may not
    stand there again while all before them stays, with their probabilities. `rewinds` counts how often the row went
    back, `spent` every token that was drawn.
    """

    prompt: Prompt
    sample: int
    seed: int
    prompt_ids: Mapping[str, Sequence[int]]
    limit: int
    tokens: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    states: list[Mapping[int, Any]] = field(default_factory=list)
    rejected: dict[int, dict[int, float]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    branches: list[tuple[int, ...]] = field(default_factory=list)
    rewinds: int = 0
    spent: int = 0
    finish: Literal["stop", "length", "failed"] | None = None
    error: str = ""

    @property
    def text(self) -> str:
        """The characters written so far."""
        return "".join(self.pieces)

    @property
    def char_ends(self) -> list[int]:
        """How many characters stand after each token."""
        return list(accumulate(map(len, self.pieces)))

    def ids(self, model: str) -> list[int]:
        """Everything one model has before it: its prompt and the text."""
        return [*self.prompt_ids[model], *self.tokens]

    def decoding_window(self, model: str) -> tuple[list[int], int]:
        """The latest ids, and how many of them make up whole characters: what it takes to decode one id more."""
        prompt = list(self.prompt_ids[model][-WINDOW:])
        wholes = [0, *(at for at, piece in enumerate(self.pieces, start=1) if piece)]
        start = wholes[max(0, len(wholes) - WINDOW)]
        front = [] if start else prompt
        return [*front, *self.tokens[start:]], len(front) + wholes[-1] - start

    def start_again(self) -> None:
        """Forget everything that was written."""
        vars(self).update(vars(Row(self.prompt, self.sample, self.seed, self.prompt_ids, self.limit)))

    def stop(self, length: int) -> None:
        """End the text after `length` characters; tokens of which no character is left are dropped.

        The last token keeps its id though some of its characters may be gone.
        """
        begins = [0, *self.char_ends[:-1]]
        kept = bisect_left(begins, length)
        self._branch_off(kept)
        if kept:
            self.pieces[kept - 1] = self.pieces[kept - 1][: length - begins[kept - 1]]
        self._cut(kept)
        self.finish = "stop"

    def fail(self, error: str) -> None:
        """Give the row up; what it wrote so far stays, but counts as nothing."""
        self.finish, self.error = "failed", error

    def write(self, token: int, piece: str, probability: float) -> None:
        """Go on by one token."""
        position = len(self.tokens)
        if position in self.rejected:
            self.events = [
                event.model_copy(update={"replacement": token})
                if event.replacement is None and (event.position, event.path) == (position, 0)
                else event
                for event in self.events
            ]
        self.tokens.append(token)
        self.pieces.append(piece)
        self.probabilities.append(probability)
        self.spent += 1

    def let_pass(self, position: int, rule: str) -> None:
        """Keep a token that should have gone, and say so."""
        token = self.tokens[position]
        self.events.append(Event(rule=rule, position=position, rejected=token, replacement=token))

    def rewind(self, position: int, rule: str) -> None:
        """Go back to before `position`, and never again write there what stood there.

        Events further on lose their place on the path, so the branch that they stand on is kept for them.
        """
        token = self.tokens[position]
        self._branch_off(position + 1)
        # What replaced an earlier token here is now rejected itself, or was let pass and is now gone after all.
        self.events = [
            event.model_copy(update={"replacement": None}) if (event.position, event.path) == (position, 0) else event
            for event in self.events
            if not (event.let_pass and (event.position, event.path) == (position, 0))
        ]
        self.events.append(Event(rule=rule, position=position, rejected=token))
        self.rejected = {place: tokens for place, tokens in self.rejected.items() if place <= position}
        self.rejected.setdefault(position, {})[token] = self.probabilities[position]
        self._cut(position)
        self.rewinds += 1
        self.finish = None

    def _branch_off(self, position: int) -> None:
        """Put events from `position` on onto a branch: what they speak of is about to go."""
        stranded = [event for event in self.events if event.path == 0 and event.position >= position]
        if stranded:
            self.branches.append(tuple(self.tokens[: max(event.position for event in stranded) + 1]))
            self.events = [
                event.model_copy(update={"path": len(self.branches)}) if event in stranded else event
                for event in self.events
            ]

    def _cut(self, position: int) -> None:
        for entries in (self.tokens, self.pieces, self.probabilities, self.states):
            del entries[position:]

    def generation(self, model: str, model_hash: str, template_hash: str) -> Generation:
        """The row as a record, with the prompt as `model` saw it."""
        return Generation(
            id=f"{self.prompt.id}-{self.seed}-{self.sample}",
            prompt_id=self.prompt.id,
            sample=self.sample,
            seed=self.seed,
            text=self.text,
            prompt_token_ids=tuple(self.prompt_ids.get(model, ())),
            token_ids=tuple(self.tokens),
            char_ends=tuple(self.char_ends),
            finish=self.finish or "failed",
            events=tuple(self.events),
            branches=tuple(self.branches),
            tokens_spent=self.spent,
            model_hash=model_hash,
            template_hash=template_hash,
            status="failed" if self.error else "ok",
            error=self.error,
        )
