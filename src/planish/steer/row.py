"""One text while it is being written: a path through a tree, with the branches that were given up."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from planish.models.tokens import Tokens
from planish.records.generation import Event, Generation
from planish.records.prompt import Prompt
from planish.records.trace import Trace

if TYPE_CHECKING:
    from planish.steer.plan import Plan

# So many ids of context let the next one decode as it would in the whole text.
WINDOW = 8
# What pairs of tokens look like is kept for so many.
MOST_PIECES = 2**17


@dataclass
class Row:
    """The text so far, and everything needed to go back in it. Steers read it; only the engine writes it.

    Lists with an entry a token: `tokens`, `pieces` (the characters it added), `char_ends` (how many characters stand
    after it), `probabilities` (before anything was forbidden or cut off), `states` (of the steers' matchers) and, where
    the plan asks for them, `traces`. `rejected[position]` holds the tokens that may not stand there again while all
    before them stays, with their probabilities. `rewinds` counts how often the row went back, `spent` every token that
    was drawn. `held_chars` of the newest characters may still become part of what a matcher looks for; the first
    `settled_chars`, those of the first `settled` tokens, will never be taken back.
    """

    prompt: Prompt
    sample: int
    seed: int
    prompt_ids: Mapping[str, Sequence[int]]
    limit: int
    plan: "Plan | None" = None
    first_states: Mapping[int, Any] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    char_ends: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    states: list[Mapping[int, Any]] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    rejected: dict[int, dict[int, float]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    branches: list[tuple[int, ...]] = field(default_factory=list)
    rewinds: int = 0
    spent: int = 0
    held_chars: int = 0
    settled: int = 0
    finish: Literal["stop", "length", "failed"] | None = None
    error: str = ""

    @property
    def text(self) -> str:
        """The characters written so far."""
        return "".join(self.pieces)

    @property
    def settled_chars(self) -> int:
        """So many characters at the front will never be taken back."""
        return self.char_ends[self.settled - 1] if self.settled else 0

    def ids(self, model: str) -> list[int]:
        """Everything one model has before it: its prompt and the text."""
        return [*self.prompt_ids[model], *self.tokens]

    def last_id(self, model: str) -> int:
        """The last of them."""
        return self.tokens[-1] if self.tokens else self.prompt_ids[model][-1]

    def newest_text(self, tokens: Tokens, model: str, token: int) -> str:
        """The characters that one token more would add; none while a character is still missing some of its bytes."""
        # What the first token looks like depends on more of the prompt than its last token.
        pair_decides = (
            bool(self.pieces) and self.pieces[-1] != "" and tokens.byte_ids.isdisjoint((self.tokens[-1], token))
        )
        last = self.last_id(model)
        if pair_decides and (piece := tokens.pieces.get((last, token))) is not None:
            return piece
        latest, settled = self.decoding_window(model)
        piece = tokens.newest_text([*latest, token], settled)
        if pair_decides:
            if len(tokens.pieces) >= MOST_PIECES:
                tokens.pieces.clear()
            tokens.pieces[last, token] = piece
        return piece

    def decoding_window(self, model: str) -> tuple[list[int], int]:
        """The latest ids, and how many of them make up whole characters: what it takes to decode one id more."""
        wholes: list[int] = []
        for at in range(len(self.pieces), 0, -1):
            if self.pieces[at - 1]:
                wholes.append(at)
            if len(wholes) == WINDOW:
                return self.tokens[wholes[-1] :], wholes[0] - wholes[-1]
        prompt = list(self.prompt_ids[model][-WINDOW:])
        return [*prompt, *self.tokens], len(prompt) + (wholes[0] if wholes else 0)

    def fork(self) -> "Row":
        """A row that goes on from here without this one."""
        fork = copy(self)
        for name, entries in vars(self).items():
            if isinstance(entries, list | dict):
                setattr(fork, name, entries.copy())
        return fork

    def start_again(self) -> None:
        """Forget everything that was written."""
        vars(self).update(
            vars(Row(self.prompt, self.sample, self.seed, self.prompt_ids, self.limit, self.plan, self.first_states))
        )

    def stop(self, length: int) -> None:
        """End the text after `length` characters; tokens of which no character is left are dropped.

        The last token keeps its id though some of its characters may be gone.
        """
        begins = [0, *self.char_ends[:-1]]
        kept = bisect_left(begins, length)
        self._branch_off(kept)
        if kept:
            self.pieces[kept - 1] = self.pieces[kept - 1][: length - begins[kept - 1]]
            self.char_ends[kept - 1] = length
        self._cut(kept)
        self.settled = min(self.settled, kept)
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
        self.char_ends.append((self.char_ends[-1] if self.char_ends else 0) + len(piece))
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

    def settle(self, held_chars: int) -> None:
        """Say that only the latest characters can still be taken back, and no token before theirs."""
        sure = self.char_ends[-1] - held_chars if self.char_ends else 0
        while self.settled < len(self.tokens) and self.char_ends[self.settled] <= sure:
            self.settled += 1

    def tail(self, length: int) -> str:
        """At least the last `length` characters, or all."""
        at, have = len(self.pieces), 0
        while at and have < length:
            at -= 1
            have += len(self.pieces[at])
        return "".join(self.pieces[at:])

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
        for entries in (self.tokens, self.pieces, self.char_ends, self.probabilities, self.states, self.traces):
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
            trace=tuple(self.traces),
        )
