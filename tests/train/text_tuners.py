"""The tuners that learn from whole texts, each with rows and settings for a short training."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from peft import PeftModel
from torch import Tensor
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from planish.records.preference import CompletionPreference
from planish.records.prompt import opening
from planish.train.adapter import AdapterSettings
from planish.train.dpo import DpoSettings, train_dpo
from planish.train.sft import Completion, SftSettings, train_sft
from planish.train.training import Tuned

END = 2
PROMPTS = [opening("Why "), opening("The dog ")]
PAIRS = [CompletionPreference.between(prompt, "zzz", "eeee", (1, 0)) for prompt in PROMPTS for _ in range(3)]
TEXTS = [Completion((1, 50, 60 + number), (70, 80, 90 + number, END)[: 4 - number % 2]) for number in range(6)]
DPO_SETTINGS = DpoSettings(batch_size=4, learning_rate=1e-3, adapter=AdapterSettings(rank=4))
SFT_SETTINGS = SftSettings(batch_size=4, epochs=2, learning_rate=1e-3, adapter=AdapterSettings(rank=4))


class TextTuner(NamedTuple):
    """How a tuner is called, and what for."""

    train: Callable[..., Tuned]
    rows: Sequence[Any]
    settings: Any
    trainer: Any
    """The class of TRL that works out the loss."""


TUNERS = {
    "dpo": TextTuner(train_dpo, PAIRS, DPO_SETTINGS, DPOTrainer),
    "sft": TextTuner(train_sft, TEXTS, SFT_SETTINGS, SFTTrainer),
}


def look_before_each_loss(
    trainer: Any, look: Callable[[PeftModel, dict[str, Tensor]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From now on, show the model and the batch before a trainer works out what they cost."""
    loss_of = trainer.compute_loss

    def watched(self: Any, model: PeftModel, inputs: dict[str, Tensor], *given: Any, **more: Any) -> Tensor:
        look(model, inputs)
        loss: Tensor = loss_of(self, model, inputs, *given, **more)
        return loss

    monkeypatch.setattr(trainer, "compute_loss", watched)
