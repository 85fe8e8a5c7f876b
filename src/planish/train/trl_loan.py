"""A model lent to a TRL trainer: what the trainer is told, and what it must not leave behind."""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peft import PeftModel
from pydantic import Field
from transformers import Trainer, TrainingArguments

from planish.models.language_model import LanguageModel
from planish.train.adapter import HEAD, Adapted, AdapterSettings
from planish.train.arguments import ScheduleSettings, in_bfloat16, training_arguments

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HINT = "lower batch_size, set checkpoint_activations = true, or train fewer layers by adapter.last_layers"


class RowSettings(ScheduleSettings):
    """What TRL's trainers are told, whichever rows they read."""

    batch_size: int = Field(default=16, ge=1)
    """Rows an optimiser step, over all processes."""
    adapter: AdapterSettings = AdapterSettings()
    """What is trained."""


class QuietTrainer(Trainer):
    """A TRL trainer that reports to nobody, and puts no model card beside its checkpoints."""

    def __init__(self, adapter: PeftModel, args: TrainingArguments, **more: Any) -> None:
        # How many processes there are is known only now; they share the rows of a step.
        args.per_device_train_batch_size = max(1, args.per_device_train_batch_size // args.world_size)
        super().__init__(adapter, args=args, **more)
        # Its rows are ids already. With a tokenizer at hand it would set the model's ends of text by it, and say so.
        self.processing_class = None

    def _send_telemetry(self) -> None:
        pass

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """A card is written from evidence."""


def loan_arguments(
    model: LanguageModel, settings: RowSettings, seed: int, rate: float, folder: Path | None
) -> dict[str, Any]:
    """The arguments of any of TRL's configurations: nothing is cut, and no text is prepared by TRL."""
    return training_arguments(model, settings, seed, rate, folder) | {
        "per_device_train_batch_size": settings.batch_size,
        "max_length": None,
    }


def loan_choices(model: LanguageModel, settings: RowSettings) -> list[str]:
    """What the settings left open, and why it is as it is."""
    chosen = []
    if settings.precision == "auto":
        kind, has_it = (
            ("bfloat16", "has it") if in_bfloat16(settings, model.device) else ("float32", "has no fast bfloat16")
        )
        chosen.append(f"computed in {kind}: {model.device.type} {has_it}")
    if HEAD in settings.adapter.targets:
        chosen.append(f"{HEAD} is left as it is: TRL cannot train an adapter on it")
    return chosen


def rule_of_width(model: LanguageModel, settings: RowSettings, times_width: float, highest: float) -> tuple[float, str]:
    """The learning rate and why, if it was chosen here: the wider the model, the smaller."""
    if settings.learning_rate is not None:
        return settings.learning_rate, ""
    rate = min(times_width / model.width, highest)
    return rate, f"learning rate {rate:.2g}: {times_width:g} / {model.width}, the model's width, at most {highest:g}"


@contextmanager
def lent(adapted: Adapted) -> "Iterator[PreTrainedTokenizerBase]":
    """A tokenizer for a TRL trainer. Afterwards model and adapter have nothing from it but their trained weights.

    Otherwise the model would run by a patched forward, in a precision of the trainer's, with hooks on its embedding,
    and be padded by what the tokenizer says.
    """
    model = adapted.model.model
    configs = (model.config, model.config.get_text_config(), model.generation_config)
    hooks = model.get_input_embeddings()._forward_hooks
    entries = [(entries, copy.copy(entries)) for entries in (*map(vars, configs), hooks)]
    attributes = [(vars(module), set(vars(module))) for module in (model, adapted.adapter)]
    try:
        with warnings.catch_warnings():
            # TRL calls what transformers is about to rename: nothing that a user can mend.
            warnings.simplefilter("ignore", FutureWarning)
            yield copy.deepcopy(adapted.model.tokenizer)
    finally:
        model.activation_checkpointing_disable()
        for now, names in attributes:
            for name in set(now) - names:
                del now[name]
        for now, before in entries:
            now.clear()
            now.update(before)
        adapted.adapter.eval()
