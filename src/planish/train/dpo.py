"""Direct preference optimisation, by TRL; planish brings the pairs."""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from datasets import Dataset
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference
from planish.train.adapter import Adapted, shared_arguments, train_quietly, with_adapter

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DOCUMENTS = (
    "{% for turn in messages %}<start>{{ turn.content }}{% endfor %}{% if add_generation_prompt %}<start>{% endif %}"
)


def train_dpo(
    model: LanguageModel,
    preferences: Sequence[CompletionPreference],
    beta: float = 0.1,
    likelihood: float = 0.0,
    learning_rate: float = 3e-4,
    epochs: int = 2,
    rank: int = 32,
    seed: int = 0,
) -> Adapted:
    """A copy of the model with an adapter trained on the pairs; the reference is the model without it.

    Args:
        model: the model that is trained.
        preferences: the pairs.
        beta: how dear it is to leave the reference.
        likelihood: weight of the negative log-likelihood of the chosen completions beside the preference loss.
        learning_rate: the highest.
        epochs: passes over the pairs.
        rank: of the adapter.
        seed: of its weights and of the order.
    """
    # TRL cannot train an adapter on the head.
    adapted = with_adapter(model, rank, seed, head=False)
    arguments = DPOConfig(
        **shared_arguments(adapted.model, seed, learning_rate=learning_rate, epochs=epochs, batch_size=16),
        beta=beta,
        loss_type=["sigmoid", "sft"] if likelihood else ["sigmoid"],
        loss_weights=[1.0, likelihood] if likelihood else None,
        max_length=None,
        gradient_checkpointing=False,
    )
    rows = Dataset.from_list(
        [preference.model_dump(include={"prompt", "chosen", "rejected"}) for preference in preferences]
    )
    trainer = DPOTrainer(
        model=adapted.adapter, args=arguments, train_dataset=rows, processing_class=_tokenizer(adapted.model)
    )
    train_quietly(trainer)
    # What TRL put into the model for its own use: a reference, and another way to run it.
    adapted.adapter.delete_adapter("ref")
    adapted.model.model.__dict__.pop("forward", None)
    adapted.model.model.eval()
    return adapted


def _tokenizer(model: LanguageModel) -> "PreTrainedTokenizerBase":
    """TRL cannot do without a chat template. Where there is none, turns are documents, as in `LanguageModel.encode`."""
    if model.is_chat:
        return model.tokenizer
    tokenizer = copy.deepcopy(model.tokenizer)
    start = tokenizer.bos_token or tokenizer.eos_token
    tokenizer.chat_template = DOCUMENTS.replace("<start>", str(start))
    return tokenizer
