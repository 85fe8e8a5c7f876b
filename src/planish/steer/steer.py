"""The contract between the engine and what steers it.

The engine owns every cache, every matcher state, every random draw and the tree of paths. A steer looks at one step
and answers; it keeps nothing between steps. Axes: `B` rows, `V` vocabulary, `D` width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.models.tokens import Tokens
from planish.records.prompt import Prompt
from planish.steer.row import Row
from planish.text.matcher import Matcher
from planish.text.span import Span

# The name under which the steered model's own logits and prompt stand.
MODEL = "model"

Stage = Literal["mix", "forbid", "cap"]

RETRIES = 32


@dataclass(frozen=True)
class Needs:
    """What a steer wants to be shown.

    `companions` run in lock step with the model, each with a cache of its own; None is the model itself on another
    prompt. `matcher` is fed what every row writes.
    """

    companions: Mapping[str, LanguageModel | None] = field(default_factory=dict)
    matcher: Matcher | None = None


@dataclass(frozen=True)
class Step:
    """What a steer is shown.

    `logits` holds (B, V) float32 a model; the steered model's, under `MODEL`, are as earlier stages left them, and
    -inf where a token is forbidden or was cut off. `hidden` is the steered model's (B, D). `spans` are what each row's
    newest token completed, for the steer that brought the matcher.
    """

    rows: Sequence[Row]
    logits: Mapping[str, Tensor]
    hidden: Tensor
    spans: Sequence[Sequence[Span]] = ()


class Rewind(NamedTuple):
    """Row `row` (an index into the step's rows) must go back and write something else at `position`.

    When `retries` tokens were rejected there, it goes back further.
    """

    row: int
    position: int
    rule: str
    retries: int = RETRIES


class Adjustment(NamedTuple):
    """New logits (B, V) for the model, and the rows that cannot go on from here.

    The logits of such a row are what it falls back on if there is nowhere to go back to.
    """

    logits: Tensor
    rewinds: Sequence[Rewind] = ()


class Steer(Protocol):
    """Changes what a model writes while it writes; a pure function of a step. Inherit, and override what is needed.

    Stages run in this order: `mix` combines models, `forbid` takes tokens away, then come the user's temperature,
    top-k, top-p and min-p, and last `cap`, on the support that is left.
    """

    stage: Stage
    needs: Needs

    def check(self, tokens: Tokens) -> None:
        """Refuse a model that it cannot steer.

        Raises:
            UsageError: it is such a model.
        """
        return

    def on(self, device: torch.device) -> "Steer":
        """The same steer for a model on another device, with copies of the models that it brings."""
        if self.needs.companions:
            raise NotImplementedError(f"{type(self).__name__} brings models, so it must say how they are copied")
        return self

    def prepare(self, prompt: Prompt) -> Mapping[str, Prompt]:
        """What each model is to see; models left out see `prompt`."""
        return {}

    def begin(self, prompt: str) -> Any:
        """The state of its matcher before the first character of a text after this prompt."""
        return None if self.needs.matcher is None else self.needs.matcher.start

    def adjust(self, step: Step) -> Adjustment:
        """Before a token is drawn."""
        return Adjustment(step.logits[MODEL])

    def review(self, step: Step) -> Sequence[Rewind]:
        """After a token was drawn: which rows must go back."""
        return ()
