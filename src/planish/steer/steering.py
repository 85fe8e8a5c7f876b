"""The steers that a user asks for by name, ready to be used on a model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from planish.config import Settings
from planish.errors import ModelError, UsageError
from planish.find.slop import Slop
from planish.models.adapter_off import AdapterOff
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.value_head import ValueHead
from planish.records.ban_file import read_rules
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.cap import Cap
from planish.steer.contrast import (
    Amplified,
    Combination,
    Contrast,
    Interpolated,
    LogRatio,
    ProbabilityDifference,
    ProxyTuned,
    behind,
)
from planish.steer.steer import Steer
from planish.steer.tag import Tag

# A setting that means nothing without another one.
GOES_WITH = {
    "thinking": "ban",
    "epsilon": "cap",
    "contrast_mode": "contrast",
    "contrast_strength": "contrast",
    "contrast_plain": "contrast",
    "contrast_prompt": "contrast",
    "contrast_options": "contrast",
    "tag_opposite": "tag",
    "tag_strength": "tag_opposite",
}
# As the other model, the steered one without its adapter.
BASE = "base"
MODES = {
    kind.model_fields["mode"].default: kind
    for kind in (LogRatio, ProbabilityDifference, Amplified, Interpolated, ProxyTuned)
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
    """A model with the same tokenizer to combine with, by default to push away from; `base` is without the adapter."""
    contrast_mode: Literal["log_ratio", "probability_difference", "amplified", "interpolated", "proxy_tuned"] = (
        "log_ratio"
    )
    """How the two are combined; see `steer/contrast.py`."""
    contrast_strength: float | None = Field(default=None, ge=0)
    """How far, in a mode that has a strength; 0 is not at all. None is the mode's own default."""
    contrast_plain: str | None = None
    """For the mode proxy_tuned: what the other model was before its tuning."""
    contrast_prompt: str | None = None
    """A text that only the other model sees, before its prompt; the other model may then be the model itself."""
    contrast_options: Mapping[str, Any] = Field(default_factory=dict)
    """The other options of the mode, such as plausible."""
    tag: str | None = None
    """A control token of the model, before every text."""
    tag_opposite: str | None = None
    """A control token to be pushed away from."""
    tag_strength: float = Field(default=1.5, ge=1)
    """How far; 1 is not at all."""

    def combination(self) -> Combination:
        """The mode of the contrast with its options.

        Raises:
            UsageError: the mode has no such option, or no strength, or a value is out of range.
        """
        mode = MODES[self.contrast_mode]
        options = dict(self.contrast_options)
        if self.contrast_strength is not None:
            if "strength" not in mode.model_fields:
                known = ", ".join(f"contrast.{name}" for name in mode.model_fields if name != "mode")
                raise UsageError(f"the mode {self.contrast_mode} has no strength", f"by --set it takes {known}")
            options = {"strength": self.contrast_strength, **options}
        return mode.from_user(options)

    def check(self) -> None:
        """What can be known before anything is loaded.

        Raises:
            UsageError: a setting is there without the one that it belongs to, or the mode of the contrast does not know
                it.
        """
        for key, owner in GOES_WITH.items():
            if key in self.model_fields_set and getattr(self, owner) is None:
                raise UsageError(f"{key} is set, but {owner} is not", f"set {owner} too, or leave {key} out")
        self.combination()
        if (self.contrast_mode == "proxy_tuned") != (self.contrast_plain is not None):
            what = "needs" if self.contrast_plain is None else "has no use for"
            raise UsageError(
                f"the mode {self.contrast_mode} {what} a third model",
                "set contrast_plain with the mode proxy_tuned, and with no other",
            )


def load_steers(settings: SteeringSettings, model: LanguageModel) -> list[Steer]:
    """Read what the steers need, and make them for this model.

    Raises:
        UsageError: the settings do not go together, or a rule or a companion model does not fit.
        DataError: a file is not there, or is not what it should be.
        ModelError: the value head or the tag belongs to another model, a companion cannot be loaded, or there is no
            adapter to be without.
    """
    settings.check()
    steers: list[Steer] = []
    if settings.ban is not None:
        rules = read_rules(settings.ban)
        if not rules:
            raise UsageError(f"{settings.ban} holds no rule", "write one phrase a line, or leave the list out")
        steers.append(ban_steer(rules, settings.thinking))
    if settings.cap is not None:
        steers.append(Cap(_head_for(model, settings.cap), settings.epsilon))
    if settings.contrast is not None:
        steers += _contrast(settings, settings.contrast, model)
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


def _contrast(settings: SteeringSettings, name: str, model: LanguageModel) -> list[Contrast]:
    """The contrast with a model of this name; none where it would leave the model as it is."""
    combination = settings.combination()
    match combination:
        case LogRatio(strength=0, cut=False) | Amplified(strength=0) | ProxyTuned(strength=0) | Interpolated(share=0):
            return []
    other = _companion(name, model)
    plain = None if settings.contrast_plain is None else _companion(settings.contrast_plain, model)
    hidden = settings.contrast_prompt
    return [
        Contrast(
            None if other is model else other,
            combination,
            plain=plain,
            other_prompt=None if hidden is None else behind(hidden),
        )
    ]


def _companion(name: str, model: LanguageModel) -> LanguageModel:
    """The model of this name, without loading again what is there already."""
    if name == model.name:
        return model
    companion = AdapterOff(model) if name == BASE else load_model(name, str(model.device))
    model.require_same_tokenizer(companion)
    return companion


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
