"""A model lent to a TRL trainer: what the trainer is told, and what it must not leave behind."""

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from pydantic import Field
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from planish.models.language_model import LanguageModel
from planish.train.adapter import HEAD, Adapted, AdapterSettings
from planish.train.arguments import ScheduleSettings, in_bfloat16, training_arguments
from planish.train.passes import tokens_a_pass
from planish.train.text_rows import Columns, TextRow, TextRows, row_passes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class RowSettings(ScheduleSettings):
    """What TRL's trainers are told, whichever rows they read."""

    batch_size: int = Field(default=16, ge=1)
    """Pairs or texts an optimiser step, at most, over all processes."""
    pass_tokens: int = Field(default=8192, ge=1)
    """Tokens that are read at once, padding included: what memory must hold, and nothing that is learned depends on. A
    longer pair or text is read alone."""
    adapter: AdapterSettings = AdapterSettings()
    """What is trained."""


class LentTrainer(Trainer):
    """A TRL trainer whose steps are the same whatever the passes and processes, and that reports to nobody."""

    def __init__(
        self,
        adapted: Adapted,
        args: TrainingArguments,
        rows: Sequence[TextRow],
        settings: RowSettings,
        tokenizer: "PreTrainedTokenizerBase",
    ) -> None:
        pass_tokens = tokens_a_pass(adapted.model, settings.pass_tokens)
        sizes = [row.size for row in rows]
        passes = row_passes(sizes, settings.batch_size, pass_tokens, settings.epochs, args.world_size, args.seed)
        own: Any = args
        own.gradient_accumulation_steps = passes.passes_a_step // args.world_size
        # Every process gets as many passes as any other already.
        own.accelerator_config.even_batches = False
        # A process takes one card, however many it sees: TRL cannot share its batches out.
        own._n_gpu = min(1, args.n_gpu)
        columns = Dataset.from_list([dict(columns) for row in rows for columns in row.columns])
        super().__init__(adapted.adapter, args=args, train_dataset=columns, processing_class=tokenizer)
        self._rows = TextRows(rows, passes)
        # What a step has is counted over all its passes, on all processes.
        self.model_accepts_loss_kwargs = True
        # Its rows are ids already. With a tokenizer at hand it would set the model's ends of text by it, and say so.
        self.processing_class = None

    def get_train_dataloader(self) -> DataLoader[Any]:
        """A pass at a time."""
        loader: DataLoader[Any] = DataLoader(self._rows, batch_sampler=self._rows.passes, collate_fn=self.collated)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def collated(self, rows: Sequence[Sequence[Columns]]) -> dict[str, Tensor]:
        """The rows of a pass as tensors. An empty pass has some row, for processes go through the model together."""
        collate: Any = self.data_collator
        batch: dict[str, Tensor] = collate([*chain.from_iterable(rows)] or [self._rows.shortest()])
        return batch

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """The loss of a pass, as its share of that of its step."""
        with self._unreported():
            return super().compute_loss(*args, **kwargs)

    @contextmanager
    def _unreported(self) -> Iterator[None]:
        """TRL gathers figures from all processes, row by row, and waits for ever where one has fewer rows."""
        accelerator: Any = self.accelerator
        accelerator.gather = accelerator.gather_for_metrics = lambda figures: figures
        try:
            yield
        finally:
            del accelerator.gather, accelerator.gather_for_metrics

    def _send_telemetry(self) -> None:
        pass

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """A card is written from evidence."""


def loan_arguments(
    model: LanguageModel, settings: RowSettings, seed: int, rate: float, folder: Path | None
) -> dict[str, Any]:
    """The arguments of any of TRL's configurations: nothing is cut, and the loss is that of the texts alone."""
    return training_arguments(model, settings, seed, rate, folder) | {
        "max_length": None,
        # How evenly experts are used is learned by none of ours, and would depend on what is read together.
        "router_aux_loss_coef": 0.0,
    }


def out_of_memory(tuner: str) -> str:
    """What to do where memory runs out; what is learned stays the same."""
    return f"planish resume with --set {tuner}.pass_tokens=2048 or --set {tuner}.checkpoint_activations=true"


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
    # Dropout and the like.
    shares = [
        (vars(module), {name: value for name, value in vars(module).items() if isinstance(value, float)})
        for module in adapted.adapter.modules()
    ]
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
        for now, values in shares:
            now.update(values)
        for now, before in entries:
            now.clear()
            now.update(before)
        adapted.adapter.eval()
