"""The user's own sampling settings."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, field_validator
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from planish.config import Settings

# A string on the command line is one; from Python there may be several.
StopStrings = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1)], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
]


class Sampling(Settings):
    """How a token is drawn, and how many."""

    max_tokens: int = Field(default=200, ge=1)
    """The longest text, in tokens."""
    temperature: float = Field(default=1.0, ge=0)
    """0 leaves only the likeliest token."""
    top_k: int | None = Field(default=None, ge=1)
    """Only the k likeliest tokens."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Only the likeliest tokens that together reach this probability."""
    min_p: float = Field(default=0.0, ge=0, lt=1)
    """Only tokens at least this fraction as likely as the likeliest."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Above 1, whatever stands in the prompt or the text already is less likely; below 1, more."""
    no_repeat_ngram: int | None = Field(default=None, ge=1)
    """So many tokens in a row stand in prompt and text together only once."""
    min_tokens: int = Field(default=0, ge=0)
    """Before so many tokens, no token may end the text; a stop string may."""
    stop: StopStrings = ()
    """The text ends before the first of these strings."""

    @field_validator("min_tokens")
    @classmethod
    def _reachable(cls, value: int, others: ValidationInfo) -> int:
        if value > others.data.get("max_tokens", value):
            raise ValueError(f"must not be more than max_tokens = {others.data['max_tokens']}")
        return value

    def penalise(
        self,
        logits: Tensor,
        prompts: Sequence[Sequence[int]],
        texts: Sequence[Sequence[int]],
        end_ids: Collection[int],
        least: Sequence[int],
    ) -> Tensor:
        """Apply what depends on the tokens before: (B, V) to (B, V), -inf where a token may not stand.

        `least` is the `min_tokens` of each row: the rows may come with settings that differ in this.

        Source: Keskar et al., CTRL (2019), section 4.1, for the repetition penalty, as transformers does it.
        """
        processors = LogitsProcessorList()
        if self.repetition_penalty != 1:
            processors.append(RepetitionPenaltyLogitsProcessor(self.repetition_penalty))
        if self.no_repeat_ngram is not None:
            processors.append(NoRepeatNGramLogitsProcessor(self.no_repeat_ngram))
        if processors:
            befores: list[Any] = [
                torch.tensor([[*prompt, *text]], device=logits.device)
                for prompt, text in zip(prompts, texts, strict=True)
            ]
            logits = torch.cat([processors(before, row[None]) for before, row in zip(befores, logits, strict=True)])
        too_short = [index for index, text in enumerate(texts) if len(text) < least[index]]
        if too_short:
            logits = logits.clone()
            # A configuration may name an end that the model has no logit for.
            ends = [end for end in end_ids if end < logits.shape[-1]]
            if len(too_short) == len(texts):
                logits[:, ends] = -torch.inf
            else:
                logits[torch.tensor(too_short)[:, None], ends] = -torch.inf
        return logits

    def stop_start(self, text: str, newest: int) -> int | None:
        """Where the first stop string begins that the newest characters have completed."""
        starts = (text.find(string, max(0, len(text) - newest - len(string) + 1)) for string in self.stop)
        return min((start for start in starts if start >= 0), default=None)

    def stop_begun(self, text: str) -> int:
        """How many of the last characters may be the beginning of a stop string."""
        return max(
            (length for string in self.stop for length in range(1, len(string)) if text.endswith(string[:length])),
            default=0,
        )

    def truncate(self, logits: Tensor) -> Tensor:
        """Apply temperature, top-k, top-p and min-p: (B, V) to (B, V), -inf where a token is cut off."""
        if self.temperature == 0:
            likeliest = torch.zeros_like(logits, dtype=torch.bool).scatter(1, logits.argmax(-1, keepdim=True), True)
            return logits.masked_fill(~likeliest, -torch.inf)
        warpers = LogitsProcessorList()
        if self.temperature != 1:
            warpers.append(TemperatureLogitsWarper(self.temperature))
        if self.top_k is not None:
            warpers.append(TopKLogitsWarper(self.top_k))
        if self.top_p < 1:
            warpers.append(TopPLogitsWarper(self.top_p))
        if self.min_p > 0:
            warpers.append(MinPLogitsWarper(self.min_p))
        no_ids: Any = None  # none of these warpers looks at the text so far
        return warpers(no_ids, logits)
