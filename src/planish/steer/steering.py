"""The steers that a user asks for by name, ready to be used on a model."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from planish.config import Settings
from planish.errors import ModelError, UsageError
from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.value_head import ValueHead
from planish.records.ban_file import read_rules
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.cap import Cap
from planish.steer.contrast import Contrast, LogRatio
from planish.steer.steer import Steer
from planish.steer.tag import Tag

# A setting that means nothing without another one.
GOES_WITH = {
    "thinking": "ban",
    "epsilon": "cap",
    "contrast_strength": "contrast",
    "tag_opposite": "tag",
    "tag_strength": "tag_opposite",
}


class SteeringSettings(Settings):
    """How a model is steered while it writes. Nothing is, unless something is set."""

    ban: Path | None = None
    """A list of what must not be written: text, a rule a line, or JSONL."""
    thinking: bool = True
    """Whether the list also holds while the model thinks."""
    cap: Path | None = None
    """A value head (safetensors): tokens that lead to a bad end are capped."""
    epsilon: float = Field(default=0.2, ge=0, le=1)
    """A token is at most 1 - its risk - epsilon likely."""
    contrast: str | None = None
    """A model with the same tokenizer, to be pushed away from."""
    contrast_strength: float = Field(default=0.5, ge=0)
    """How far; 0 is not at all."""
    tag: str | None = None
    """A control token of the model, before every text."""
    tag_opposite: str | None = None
    """A control token to be pushed away from."""
    tag_strength: float = Field(default=1.5, ge=1)
    """How far; 1 is not at all."""


def load_steers(settings: SteeringSettings, model: LanguageModel) -> list[Steer]:
    """Read what the steers need, and make them for this model.

    Raises:
        UsageError: a setting is there without the one that it belongs to, or a rule or a companion model does not fit.
        DataError: a file is not there, or is not what it should be.
        ModelError: the value head or the tag belongs to another model, or the companion cannot be loaded.
    """
    for key, owner in GOES_WITH.items():
        if key in settings.model_fields_set and getattr(settings, owner) is None:
            raise UsageError(f"{key} is set, but {owner} is not", f"set {owner} too, or leave {key} out")
    steers: list[Steer] = []
    if settings.ban is not None:
        steers.append(ban_steer(read_rules(settings.ban), settings.thinking))
    if settings.cap is not None:
        steers.append(Cap(_head_for(model, settings.cap), settings.epsilon))
    if settings.contrast is not None and settings.contrast_strength > 0:
        other = load_model(settings.contrast, str(model.device))
        model.require_same_tokenizer(other)
        steers.append(Contrast(other, LogRatio(strength=settings.contrast_strength)))
    if settings.tag is not None:
        steers.append(tag_steer(model, settings.tag, settings.tag_opposite, settings.tag_strength))
    return steers


def ban_steer(rules: Sequence[BanRule], thinking: bool = True) -> Ban:
    """Ban a list; without `thinking` only outside of what the model thinks.

    Raises:
        UsageError: a rule of it is no pattern.
    """
    return Ban(Slop(rules), thinking)


def tag_steer(model: LanguageModel, tag: str, opposite: str | None = None, strength: float = 1.0) -> Tag:
    """Ask for a kind of text by its tag.

    Raises:
        ModelError: the model does not know a tag.
    """
    for name in filter(None, (tag, opposite)):
        if name not in model.tags:
            known = ", ".join(model.tags) or "none"
            raise ModelError(f"the model {model.name!r} has no tag {name!r}", f"its tags: {known}")
    return Tag(tag, opposite, strength)


def _head_for(model: LanguageModel, path: Path) -> ValueHead:
    head = ValueHead.load(path)
    fits = (head.token.in_features, head.token.out_features) == (model.width, model.vocabulary)
    if not fits:
        raise ModelError(
            f"the value head {path} is for a model of width {head.token.in_features} with {head.token.out_features} "
            f"logits; {model.name!r} has {model.width} and {model.vocabulary}",
            "give the head that was trained with this model",
        )
    return head.to(model.device)
