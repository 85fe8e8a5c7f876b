"""Supervised training on texts that are as they should be, by TRL; what they answer is read, not learned."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field
from torch import Tensor
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference
from planish.records.prompt import Prompt
from planish.train.adapter import with_adapter
from planish.train.text_rows import Columns, TextRow, readable
from planish.train.token_pairs import completion_ids, token_pairs
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

RATE_TIMES_WIDTH = 0.8
HIGHEST_RATE = 1e-3
# What PyTorch takes for a token that is not to be learned.
NOT_LEARNED = -100
AS_THEY_ARE = {"skip_prepare_dataset": True}


class SftSettings(RowSettings):
    """The schedule, and what is trained."""

    epochs: int = Field(default=3, ge=1)
    """Passes over the texts."""


class Completion(NamedTuple):
    """What is to be written after `context`, as token ids. An end of text is taught where it is written."""

    context: tuple[int, ...]
    ids: tuple[int, ...]


class _Sft(FiniteTrainer, LentTrainer, SFTTrainer):
    """On texts that are ids already."""

    def collated(self, rows: Sequence[Sequence[Columns]]) -> dict[str, Tensor]:
        """Some texts as tensors; of none, one from which nothing is learned."""
        batch = super().collated(rows)
        if not rows:
            batch["labels"].fill_(NOT_LEARNED)
        return batch


def text_completion(model: LanguageModel, prompt: Prompt, text: str, *, ended: bool) -> Completion:
    """A text for a prompt, which the model reads as it would when it writes.

    Args:
        model: whose tokens they become.
        prompt: what the text answers or goes on from.
        text: the text.
        ended: whether it is whole; nothing teaches a cut text to end.

    Raises:
        ModelError: the model's chat template refuses the prompt.
    """
    return Completion(tuple(model.encode(prompt)), completion_ids(model, prompt, text, ended=ended))


def train_sft(
    model: LanguageModel,
    rows: Sequence[Generation | CompletionPreference | Completion],
    settings: SftSettings | None = None,
    seed: int = 0,
    folder: Path | None = None,
) -> Tuned:
    """Train an adapter in a copy of the model to write these texts after their prompts.

    Args:
        model: the model; it is left as it is.
        rows: texts as they were written, such as those that pass a check; of preferences the chosen side; or ids. The
            same text for the same prompt counts once.
        settings: the schedule.
        seed: of the adapter's first weights, of the order and of dropout.
        folder: where checkpoints go, and where a training that was killed goes on from; None: nothing is kept.

    Raises:
        DataError: there is nothing to train on, or a token is none of the model's.
        ModelError: memory ran out, or the model's chat template refuses a prompt.
        UsageError: the model has no layer that is to be trained.
    """
    settings = settings or SftSettings()
    found = [completion for completion in _completions(model, rows) if completion.ids]
    # In the order in which they came.
    texts = readable(model, [_row(completion) for completion in dict.fromkeys(found)])
    if not texts:
        raise DataError(
            f"there are no texts to train on, of {len(rows)} given",
            f"give at least one that is not empty, of at most {model.context} tokens with its prompt",
        )
    rate, why = rule_of_width(model, settings, RATE_TIMES_WIDTH, HIGHEST_RATE)
    adapted = with_adapter(model, settings.adapter, seed, head=False)
    with lent(adapted) as tokenizer:
        trainer = _Sft(
            adapted,
            SFTConfig(**loan_arguments(adapted.model, settings, seed, rate, folder), dataset_kwargs=AS_THEY_ARE),
            texts,
            settings,
            tokenizer,
        )
        ended = run_trainer(trainer, settings.save_every_min if folder else None, out_of_memory("sft"))
    used = f"{len(texts)} of {len(rows)} texts: the others are empty, there twice, or longer than the model reads"
    choices = [why, *loan_choices(model, settings), used if len(texts) < len(rows) else ""]
    return Tuned(adapted, steps_of(trainer), ended, [choice for choice in choices if choice])


def _completions(
    model: LanguageModel, rows: Iterable[Generation | CompletionPreference | Completion]
) -> Iterator[Completion]:
    for row in rows:
        match row:
            case Generation():
                yield Completion(row.prompt_token_ids, row.token_ids)
            case CompletionPreference():
                yield from (Completion(pair.context, pair.chosen) for pair in token_pairs(model, [row]))
            case Completion():
                yield row


def _row(completion: Completion) -> TextRow:
    context, ids = list(completion.context), list(completion.ids)
    text = context + ids
    return TextRow([{"input_ids": text, "labels": [NOT_LEARNED] * len(context) + ids}], (text,))
