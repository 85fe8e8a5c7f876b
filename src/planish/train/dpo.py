"""Direct preference optimisation, by TRL; planish brings the pairs.

Source: Rafailov et al., Direct Preference Optimization (2023); the likelihood term: Pang et al., Iterative Reasoning
Preference Optimization (2024), equation 1; the normalised length: Lambert et al., Tulu 3 (2024), section 5.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from pydantic import Field
from torch import Tensor, nn
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference, TokenPreferences
from planish.train.adapter import Adapted, with_adapter
from planish.train.dropout import without_own_dropout
from planish.train.text_rows import Columns, TextRow, readable
from planish.train.token_pairs import TokenPair, token_pairs
from planish.train.training import FiniteTrainer, Tuned, run_trainer, steps_of
from planish.train.trl_loan import (
    LentTrainer,
    RowSettings,
    lent,
    loan_arguments,
    loan_choices,
    out_of_memory,
    rule_of_width,
)

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


class _Dpo(FiniteTrainer, LentTrainer, DPOTrainer):
    """On pairs that are ids already; the reference is the model with its adapter switched off."""

    # By `compute_loss`, which knows what the passes of a step have.
    loss_is_scaled_for_ga = True

    def __init__(self, adapted: Adapted, args: DPOConfig, *given: Any) -> None:
        super().__init__(adapted, args, *given)
        self._weights = tuple(self.loss_weights)
        # A copy of the untrained adapter, which would be carried through every step and every checkpoint.
        adapted.adapter.delete_adapter("ref")

    def collated(self, rows: Sequence[Sequence[Columns]]) -> dict[str, Tensor]:
        """Some pairs as tensors; `counts` are the pairs and the tokens of their chosen sides."""
        batch = super().collated(rows)
        chosen = [len(pair["chosen_ids"]) for row in rows for pair in row]
        batch["counts"] = torch.tensor([len(chosen), sum(chosen)])
        return batch

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device) -> Any:
        """The passes of a step, and the counts of all of them, on all processes."""
        passes, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        counts = torch.stack([each["counts"] for each in passes]).sum(0).to(device)
        return passes, self.accelerator.reduce(counts)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a pass: the preference by its pairs, the likelihood by its tokens."""
        # The mean over processes is taken later.
        shares = self.accelerator.num_processes * inputs.pop("counts") / num_items_in_batch
        self.loss_weights = [weight * share for weight, share in zip(self._weights, shares.tolist(), strict=False)]
        return super().compute_loss(model, inputs, return_outputs)

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
        DataError: there is nothing to train on, or a token is none of the model's.
        ModelError: memory ran out, or the model's chat template refuses a prompt.
        UsageError: the model has no layer that is to be trained.
    """
    settings = settings or DpoSettings()
    pairs = list(token_pairs(model, preferences))
    rows = readable(model, [_row(group) for group in _grouped(pairs)])
    if not rows:
        raise DataError(
            f"there are no pairs to train on, of {len(pairs)} given",
            f"give at least one with two texts that are not empty, of at most {model.context} tokens with their prompt",
        )
    rate, why = rule_of_width(model, settings, RATE_TIMES_WIDTH, HIGHEST_RATE)
    adapted = with_adapter(model, settings.adapter, seed, head=False)
    with lent(adapted) as tokenizer:
        # It would make the model differ from itself as the reference.
        without_own_dropout(adapted.adapter)
        trainer = _Dpo(
            adapted,
            DPOConfig(**loan_arguments(adapted.model, settings, seed, rate, folder), **_loss(settings)),
            rows,
            settings,
            tokenizer,
        )
        ended = run_trainer(trainer, settings.save_every_min if folder else None, out_of_memory("dpo"))
    count = sum(len(row.columns) for row in rows)
    used = f"{count} of {len(pairs)} pairs: the others have an empty side, or are longer than the model reads"
    choices = [why, *loan_choices(model, settings), used if count < len(pairs) else ""]
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


def _grouped(pairs: Iterable[TokenPair]) -> list[list[TokenPair]]:
    """The pairs that have something on both sides, each with those of its group."""
    groups: dict[object, list[TokenPair]] = {}
    for number, pair in enumerate(pairs):
        if pair.chosen and pair.rejected:
            groups.setdefault(pair.group or number, []).append(pair)
    return list(groups.values())


def _row(group: Sequence[TokenPair]) -> TextRow:
    columns = [
        {"prompt_ids": [*pair.context], "chosen_ids": [*pair.chosen], "rejected_ids": [*pair.rejected]}
        for pair in group
    ]
    return TextRow(columns, [[*pair.context, *side] for pair in group for side in (pair.chosen, pair.rejected)])
