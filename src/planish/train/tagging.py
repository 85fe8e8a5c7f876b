"""Conditional training: texts behind the tag that says what kind they are."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import Trainer, TrainingArguments

from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.train.adapter import copy_of
from planish.train.arguments import ScheduleSettings, training_arguments
from planish.train.sft import NOT_LEARNED
from planish.train.training import run_trainer

# Some texts of each kind are shown untagged, so that the model goes on writing without a tag.
TAG_DROPOUT = 0.1


def train_tagging(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    generations: Sequence[Generation],
    tags: Mapping[str, str | None],
    epochs: int = 6,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> LanguageModel:
    """A copy of the model that knows some tags, trained on texts behind them; all its weights are trained.

    Args:
        model: the pretrained model.
        prompts: what the texts were written for.
        generations: the texts.
        tags: the tag of each text, by generation id; None for the neutral ones.
        epochs: passes over the texts.
        learning_rate: the highest.
        seed: of tag dropout and order.
    """
    tuned = copy_of(model)
    add_tags(tuned, sorted({tag for tag in tags.values() if tag is not None}), seed=seed)
    draws = torch.rand(len(generations), generator=torch.Generator().manual_seed(seed)).tolist()
    rows = []
    prompt_of = {prompt.id: prompt for prompt in prompts}
    for generation, draw in zip(generations, draws, strict=True):
        tag = None if draw < TAG_DROPOUT else tags[generation.id]
        prompt = prompt_of[generation.prompt_id].model_copy(update={"tag": tag})
        rows.append({"front": tuned.encode(prompt), "text": list(generation.token_ids)})

    def collate(rows: Sequence[Mapping[str, list[int]]]) -> dict[str, Tensor]:
        longest = max(len(row["front"]) + len(row["text"]) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        labels = torch.full_like(ids, NOT_LEARNED)
        for index, row in enumerate(rows):
            start, end = len(row["front"]), len(row["front"]) + len(row["text"])
            ids[index, :end] = torch.tensor(row["front"] + row["text"])
            labels[index, start:end] = torch.tensor(row["text"])
        return {"input_ids": ids, "labels": labels}

    arguments = TrainingArguments(
        **training_arguments(tuned, ScheduleSettings(epochs=epochs), seed, learning_rate),
        per_device_train_batch_size=16,
        remove_unused_columns=False,
    )
    run_trainer(Trainer(model=tuned.model, args=arguments, train_dataset=rows, data_collator=collate))
    tuned.model.eval()
    return tuned
