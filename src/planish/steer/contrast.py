"""Two or three models at once: what one says and another does not."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from planish.config import Settings
from planish.errors import UsageError
from planish.models.language_model import LanguageModel
from planish.records.prompt import Message, Prompt
from planish.steer.combine import (
    amplified,
    interpolated,
    log_ratio,
    nucleus,
    probability_difference,
    proxy_tuned,
    relative_plausible,
)
from planish.steer.steer import MODEL, Adjustment, Needs, Stage, Steer, Step

OTHER = "other"
PLAIN = "plain"


class LogRatio(Settings):
    """log p + strength · (log p − log p_other), with the implausible held back."""

    mode: Literal["log_ratio"] = "log_ratio"
    strength: float = Field(default=0.5, ge=0)
    """How far; 0 is the plain model."""
    plausible: float = Field(default=0.1, gt=0, le=1)
    """Only tokens at least this fraction as likely as the likeliest may gain."""
    nucleus: float | None = Field(default=None, gt=0, lt=1)
    """Only the likeliest tokens that together reach this probability may gain."""
    cut: bool = False
    """Tokens that may not gain are cut off."""

    def combine(self, logits: Mapping[str, Tensor]) -> Tensor:
        """See `log_ratio`."""
        own = logits[MODEL]
        plausible = relative_plausible(own, self.plausible)
        if self.nucleus is not None:
            plausible &= nucleus(own, self.nucleus)
        return log_ratio(own, logits[OTHER], self.strength, plausible, cut=self.cut)


class ProbabilityDifference(Settings):
    """max(weight · p + other_weight · p_other, 0), as in the prototypes of contrastive decoding between checkpoints."""

    mode: Literal["probability_difference"] = "probability_difference"
    weight: float = 1.0
    """Of the model's probabilities."""
    other_weight: float = -1.0
    """Of the other model's; 0 is the plain model."""
    gate: float | None = Field(default=None, ge=0)
    """Where the two are alike, write what the model would; the smaller, the sooner. None: never."""
    nucleus: float | None = Field(default=None, gt=0, lt=1)
    """Only the model's likeliest tokens that together reach this probability."""

    def combine(self, logits: Mapping[str, Tensor]) -> Tensor:
        """See `probability_difference`."""
        own = logits[MODEL]
        kept = None if self.nucleus is None else nucleus(own, self.nucleus)
        return probability_difference(own, logits[OTHER], self.weight, self.other_weight, gate=self.gate, kept=kept)


class Amplified(Settings):
    """(1 + strength) · log p − strength · log p_other: the other one is the model before training."""

    mode: Literal["amplified"] = "amplified"
    strength: float = Field(default=0.5, ge=0)
    """How far; 0 is the plain model."""

    def combine(self, logits: Mapping[str, Tensor]) -> Tensor:
        """See `amplified`."""
        return amplified(logits[MODEL], logits[OTHER], self.strength)


class Interpolated(Settings):
    """(1 − share) · log p + share · log p_other."""

    mode: Literal["interpolated"] = "interpolated"
    share: float = Field(default=0.5, ge=0, le=1)
    """The other model's; 0 is the plain model."""

    def combine(self, logits: Mapping[str, Tensor]) -> Tensor:
        """See `interpolated`."""
        return interpolated(logits[MODEL], logits[OTHER], self.share)


class ProxyTuned(Settings):
    """log p + strength · (log p_other − log p_plain): the other one is a small model after tuning, plain before."""

    mode: Literal["proxy_tuned"] = "proxy_tuned"
    strength: float = Field(default=1.0, ge=0)
    """How far; 0 is the plain model."""

    def combine(self, logits: Mapping[str, Tensor]) -> Tensor:
        """See `proxy_tuned`."""
        return proxy_tuned(logits[MODEL], logits[OTHER], logits[PLAIN], self.strength)


Combination = Annotated[
    LogRatio | ProbabilityDifference | Amplified | Interpolated | ProxyTuned, Field(discriminator="mode")
]


class Contrast(Steer):
    """Writes what a combination of the model with one other makes likely, or with two.

    Args:
        other: the other model; None is the model itself, on another prompt.
        combination: how; by default by `LogRatio`.
        plain: for `ProxyTuned`, what `other` was before its tuning.
        other_prompt: what `other` is to see instead of the prompt, such as `behind` a hidden text.

    Raises:
        UsageError: the model would be set apart from itself on one prompt; or `plain` is missing, or of no use.
    """

    stage: Stage = "mix"

    def __init__(
        self,
        other: LanguageModel | None,
        combination: Combination | None = None,
        *,
        plain: LanguageModel | None = None,
        other_prompt: Callable[[Prompt], Prompt] | None = None,
    ) -> None:
        self.combination = combination or LogRatio()
        self.other_prompt = other_prompt
        if other is None and other_prompt is None:
            raise UsageError(
                "a model on one prompt is not set apart from itself", "give another model, or other_prompt"
            )
        mode = self.combination.mode
        if (plain is None) == (mode == "proxy_tuned"):
            what = "needs a third model" if plain is None else "has no use for a third model"
            raise UsageError(f"the mode {mode} {what}", "give plain with the mode proxy_tuned, and with no other")
        self.needs = Needs(companions={OTHER: other} if plain is None else {OTHER: other, PLAIN: plain})

    def on(self, device: torch.device) -> "Contrast":
        """See `Steer`."""
        other, plain = (
            model and model.on(device) for model in (self.needs.companions[OTHER], self.needs.companions.get(PLAIN))
        )
        return Contrast(other, self.combination, plain=plain, other_prompt=self.other_prompt)

    def prepare(self, prompt: Prompt) -> Mapping[str, Prompt]:
        """The other model may see another prompt."""
        return {OTHER: self.other_prompt(prompt)} if self.other_prompt else {}

    def adjust(self, step: Step) -> Adjustment:
        """Combine the models' logits."""
        return Adjustment(self.combination.combine(step.logits))


def contrasted(logits: Tensor, other: Tensor, strength: float, plausible: float) -> Tensor:
    """`log_ratio` where a token is plausible if it is at least this fraction as likely as the likeliest."""
    return log_ratio(logits, other, strength, relative_plausible(logits, plausible))


def behind(hidden: str) -> Callable[[Prompt], Prompt]:
    """Puts a text before any prompt: as its system turn, in place of its own, or before the text to be continued."""

    def prepared(prompt: Prompt) -> Prompt:
        if prompt.text is not None:
            return prompt.model_copy(update={"text": hidden + prompt.text})
        turns = [turn for turn in prompt.messages or () if turn.role != "system"]
        return prompt.model_copy(update={"messages": (Message(role="system", content=hidden), *turns)})

    return prepared
