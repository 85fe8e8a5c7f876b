"""How a text is to be written: under which steers, with which sampling, and what is kept of it."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planish.steer.sampling import Sampling
from planish.steer.steer import Steer
from planish.text.matcher import Matcher


@dataclass(frozen=True, eq=False)
class Plan:
    """What rows share that are written alike; rows of several plans share a batch.

    `top` asks for a trace of each token, with so many of the likeliest. Of a text that `is_streamed`, what was settled
    is never taken back.
    """

    steers: Sequence[Steer]
    sampling: Sampling
    top: int | None = None
    is_streamed: bool = False
    matchers: Mapping[int, Matcher] = field(init=False)
    """The matcher of each steer that brought one, by the steer's place in `steers`."""
    kind: Hashable = field(init=False)
    """Rows whose plans are of one kind are steered and drawn together."""

    def __post_init__(self) -> None:
        """Look for the matchers once."""
        matchers = {at: steer.needs.matcher for at, steer in enumerate(self.steers) if steer.needs.matcher is not None}
        object.__setattr__(self, "matchers", matchers)
        # Where a text may end is a matter of each row.
        drawing = self.sampling.model_dump(exclude={"max_tokens", "min_tokens", "stop"})
        object.__setattr__(self, "kind", (tuple(map(id, self.steers)), tuple(drawing.values()), self.top))

    def begin(self, prompt: str) -> dict[int, Any]:
        """The matchers' states before the first character of a text after this prompt."""
        return {at: self.steers[at].begin(prompt) for at in self.matchers}
