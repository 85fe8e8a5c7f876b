"""Direct preference optimisation, by TRL; planish brings the pairs.

Source: Rafailov et al., Direct Preference Optimization (2023); the likelihood term: Pang et al., Iterative Reasoning
Preference Optimization (2024), equation 1; the normalised length: Lambert et al., Tulu 3 (2024), section 5.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import PeftModel
from pydantic import Field
from torch import nn
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference, TokenPreferences
from planish.train.adapter import Adapted, with_adapter
from planish.train.token_pairs import TokenPair, token_pairs
from planish.train.training import FiniteTrainer, Tuned, run_trainer, steps_of
from planish.train.trl_loan import HINT, QuietTrainer, RowSettings, lent, loan_arguments, loan_choices, rule_of_width

RATE_TIMES_WIDTH = 0.08
HIGHEST_RATE = 3e-4


class DpoSettings(RowSettings):
    """The loss, its schedule, and what is trained."""

    beta: float = Field(default=0.1, gt=0)
    """How dear it is to leave the reference."""
    likelihood: float = Field(default=0.0, ge=0)
    """Weight of the negative log-likelihood of the chosen texts, in nats a token, beside the preference loss."""
    length_normalised: bool = False
    """Whether a text counts by its mean token, not by their sum, so that none wins by its length; beta should then be
    larger, 2 to 10."""
    epochs: int = Field(default=2, ge=1)
    """Passes over the pairs."""
    batch_size: int = Field(default=16, ge=1)
    """Pairs an optimiser step, over all processes."""


class _Dpo(FiniteTrainer, QuietTrainer, DPOTrainer):
    """On pairs that are ids already; the reference is the model with its adapter switched off."""

    def __init__(self, adapter: PeftModel, args: DPOConfig, **more: Any) -> None:
        super().__init__(adapter, args=args, **more)
        # A copy of the untrained adapter, which would be carried through every step and every checkpoint.
        adapter.delete_adapter("ref")

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        """TRL would write an end after every text, cut ones too, and read the texts anew."""
        return dataset


def train_dpo(
    model: LanguageModel,
    preferences: Sequence[CompletionPreference | TokenPreferences | TokenPair],
    settings: DpoSettings | None = None,
    seed: int = 0,
    folder: Path | None = None,
) -> Tuned:
    """Train an adapter in a copy of the model; the reference is the model without it.

    Args:
        model: the model; it is left as it is.
        preferences: texts, points or ids. That a text ends is taught where ids say so: see `CompletionPreference`.
        settings: loss and schedule.
        seed: of the adapter's first weights, of the order and of dropout.
        folder: where checkpoints go, and where a training that was killed goes on from; None: nothing is kept.

    Raises:
        DataError: there is nothing to train on.
        ModelError: memory ran out, or the model's chat template refuses a prompt.
        UsageError: the model has no layer that is to be trained.
    """
    settings = settings or DpoSettings()
    pairs = list(token_pairs(model, preferences))
    if not pairs:
        raise DataError("there are no pairs to train on", "give at least one preference")
    rate, why = rule_of_width(model, settings, RATE_TIMES_WIDTH, HIGHEST_RATE)
    adapted = with_adapter(model, settings.adapter, seed, head=False)
    with lent(adapted) as tokenizer, _own_dropout_off(adapted):
        trainer = _Dpo(
            adapted.adapter,
            args=DPOConfig(**loan_arguments(adapted.model, settings, seed, rate, folder), **_loss(settings)),
            train_dataset=Dataset.from_list([_row(pair) for pair in pairs]),
            processing_class=tokenizer,
        )
        ended = run_trainer(trainer, settings.save_every_min if folder else None, HINT)
    choices = [why, *loan_choices(model, settings)]
    return Tuned(adapted, steps_of(trainer), ended, [choice for choice in choices if choice])


def _loss(settings: DpoSettings) -> dict[str, Any]:
    """The part of TRL's arguments that is about preferences."""
    preference = "sigmoid_norm" if settings.length_normalised else "sigmoid"
    return {
        "beta": settings.beta,
        "loss_type": [preference, "sft"] if settings.likelihood else [preference],
        "loss_weights": [1.0, settings.likelihood] if settings.likelihood else None,
        # TRL would switch off the adapter's too.
        "disable_dropout": False,
    }


def _row(pair: TokenPair) -> dict[str, list[int]]:
    return {
        "prompt_ids": list(pair.context),
        "chosen_ids": list(pair.chosen),
        "rejected_ids": list(pair.rejected),
    }


@contextmanager
def _own_dropout_off(adapted: Adapted) -> Iterator[None]:
    """The model's own dropout, unlike its adapter's, would make it differ from itself as the reference."""
    layers = [
        layer
        for name, layer in adapted.adapter.named_modules()
        if isinstance(layer, nn.Dropout) and "lora_dropout" not in name
    ]
    shares = [layer.p for layer in layers]
    for layer in layers:
        layer.p = 0.0
    try:
        yield
    finally:
        for layer, share in zip(layers, shares, strict=True):
            layer.p = share
