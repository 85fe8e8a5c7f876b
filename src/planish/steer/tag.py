"""Control tokens: ask for a kind of text by the tag that such texts were trained with."""

from collections.abc import Mapping

import torch

from planish.records.prompt import Prompt
from planish.steer.contrast import contrasted
from planish.steer.steer import MODEL, Adjustment, Needs, Stage, Steer, Step

OPPOSITE = "opposite tag"


class Tag(Steer):
    """Puts a tag before every prompt. A strength above 1 also pushes away from what `opposite` would write.

    Source: Korbak et al., Pretraining language models with human preferences (2023), section 2, for tags; Krause et
    al., GeDi (2020), for the contrast of two tags of one model.
    """

    stage: Stage = "mix"

    def __init__(self, tag: str, opposite: str | None = None, strength: float = 1.0) -> None:
        self.tag = tag
        self.opposite = opposite if strength > 1 else None
        self.strength = strength
        self.needs = Needs(companions={OPPOSITE: None} if self.opposite else {})

    def on(self, device: torch.device) -> "Tag":
        """The same: its companion is the model itself."""
        return self

    def prepare(self, prompt: Prompt) -> Mapping[str, Prompt]:
        """The model sees the tag, its double the opposite one."""
        seen = {MODEL: prompt.model_copy(update={"tag": self.tag})}
        if self.opposite:
            seen[OPPOSITE] = prompt.model_copy(update={"tag": self.opposite})
        return seen

    def adjust(self, step: Step) -> Adjustment:
        """Nothing at strength 1: the tag has said it all."""
        if not self.opposite:
            return Adjustment(step.logits[MODEL])
        return Adjustment(contrasted(step.logits[MODEL], step.logits[OPPOSITE], self.strength - 1, plausible=0.1))
