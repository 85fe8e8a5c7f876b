"""What a training will take: measured on one pass of it, in a copy of the model that is thrown away."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import finalize

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import TrainingArguments

from planish.errors import ModelError
from planish.models.language_model import LanguageModel
from planish.records.preference import TokenPreferences
from planish.steer.batch_size import free_bytes, is_out_of_memory
from planish.train.adapter import Adapted, with_adapter
from planish.train.arguments import ScheduleSettings, in_bfloat16, training_arguments
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer
from planish.train.passes import Passes, PathSize, packed, tokens_a_pass
from planish.train.path_rows import PathRows, collated
from planish.train.sft import NOT_LEARNED, Completion
from planish.train.text_rows import row_passes
from planish.train.trl_loan import RowSettings

# Of each trained number Adam keeps two others in float32.
ADAM_BYTES = 8
# What reading takes of what reading and going back takes, where most weights are frozen.
FORWARD = 0.4
# How fast is of no weight here: nothing is kept.
ANY_RATE = 1e-9
WARM_UP = "the second of two, for the first one is slower"


class Estimate(NamedTuple):
    """How much is trained, on how much, and what it will take; `memory_from` and `time_from` say how that is known.

    `rows` are paths, pairs or texts; `tokens` are read in an epoch, padding included. Steps and time are those of all
    epochs: a training that ends early takes less.
    """

    trained: int
    parameters: int
    rows: int
    points: int
    tokens: int
    epochs: int
    steps: int
    memory_bytes: int
    memory_from: str
    time_s: float
    time_from: str


class _Taken(NamedTuple):
    """What a pass takes in seconds, what a step of the optimiser does, and the most memory of both."""

    pass_s: float
    step_s: float
    peak_bytes: int
    how: str


def estimate_ftpo(
    model: LanguageModel,
    used: Sequence[TokenPreferences],
    held_out: Sequence[TokenPreferences],
    settings: FtpoSettings,
    seed: int = 0,
) -> Estimate:
    """What training on points takes, by the largest of its passes.

    Args:
        model: the model; it is left as it is.
        used: the paths to be trained on.
        held_out: those that judge.
        settings: of the training.
        seed: of the order.

    Raises:
        ModelError: that pass does not fit into memory.
        UsageError: the model has no layer that is to be trained.
    """
    rows, judged = PathRows(used), PathRows(held_out)
    pass_tokens = tokens_a_pass(model, settings.pass_tokens)
    passes = Passes(rows.sizes, settings.step_points, pass_tokens, settings.epochs, 1, seed)
    order = [at for at in passes if at]
    largest = max(order, key=lambda at: _tokens(at, rows.sizes))
    adapted = with_adapter(model, settings.adapter, seed)
    arguments = TrainingArguments(**training_arguments(adapted.model, settings, seed, ANY_RATE))
    with _explained(model):
        trainer = FTPOTrainer(adapted, arguments, [rows.paths[at] for at in largest], settings=settings)
        subset: Any = trainer.train_dataset
        batch = collated([subset[at] for at in range(len(largest))])
        points = len(batch["rejected"])
        taken = _taken(model, adapted, settings, lambda: trainer.training_step(adapted.adapter, batch, points))
    tokens = sum(_tokens(at, rows.sizes) for at in order)
    checked = sum(_tokens(at, judged.sizes) for at in packed(range(len(judged)), judged.sizes, pass_tokens))
    # The reference reads everything once, and each check the held-out paths.
    only_read = tokens + checked * (1 + settings.epochs * settings.checks_an_epoch)
    steps = settings.epochs * passes.steps
    equal_passes = (settings.epochs * tokens + FORWARD * only_read) / _tokens(largest, rows.sizes)
    trained, parameters = _counts(model, adapted)
    return Estimate(
        trained=trained,
        parameters=parameters,
        rows=len(used),
        points=sum(size.points for size in rows.sizes),
        tokens=tokens,
        epochs=settings.epochs,
        steps=steps,
        memory_bytes=taken.peak_bytes,
        memory_from=f"{taken.how}, in the largest pass",
        time_s=equal_passes * taken.pass_s + steps * taken.step_s,
        time_from=f"the largest pass takes {taken.pass_s:.2g} s ({WARM_UP}), and all {equal_passes:.3g} times that",
    )


def estimate_rows(
    model: LanguageModel,
    rows: Sequence[Sequence[Completion]],
    settings: RowSettings,
    seed: int = 0,
    *,
    has_reference: bool,
) -> Estimate:
    """What training on texts takes, by the log-likelihood of the largest of its passes.

    Args:
        model: the model; it is left as it is.
        rows: of each the texts that are read: both sides of a pair, or one.
        settings: of the training.
        seed: of the order.
        has_reference: whether all is read without the adapter too.

    Raises:
        ModelError: they do not fit into memory.
        UsageError: the model has no layer that is to be trained.
    """
    adapted = with_adapter(model, settings.adapter, seed, head=False)
    sizes = [PathSize(len(row) * _longest(row), 1) for row in rows]
    pass_tokens = tokens_a_pass(model, settings.pass_tokens)
    passes = row_passes(sizes, settings.batch_size, pass_tokens, settings.epochs, 1, seed)
    order = [at for at in passes if at]
    largest = max(order, key=lambda at: _tokens(at, sizes))
    ids, labels = (part.to(model.device) for part in _padded([text for at in largest for text in rows[at]]))

    def step() -> None:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=in_bfloat16(settings, model.device)):
            if has_reference:
                with torch.no_grad(), adapted.adapter.disable_adapter():
                    adapted.adapter(input_ids=ids, use_cache=False)
            logits = adapted.adapter(input_ids=ids, use_cache=False).logits[:, :-1]
        cross_entropy(logits.float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=NOT_LEARNED).backward()

    with _explained(model):
        taken = _taken(model, adapted, settings, step)
    tokens = sum(_tokens(at, sizes) for at in order)
    steps = settings.epochs * passes.steps
    equal_passes = settings.epochs * tokens / ids.numel()
    trained, parameters = _counts(model, adapted)
    return Estimate(
        trained=trained,
        parameters=parameters,
        rows=len(rows),
        points=0,
        tokens=tokens,
        epochs=settings.epochs,
        steps=steps,
        memory_bytes=taken.peak_bytes,
        memory_from=f"{taken.how}, in the log-likelihood of the largest pass",
        time_s=equal_passes * taken.pass_s + steps * taken.step_s,
        time_from=f"the log-likelihood of the largest pass takes {taken.pass_s:.2g} s ({WARM_UP}), and all "
        f"{equal_passes:.3g} times that",
    )


def _taken(
    model: LanguageModel, adapted: Adapted, settings: ScheduleSettings, one_pass: Callable[[], object]
) -> _Taken:
    """Measure a pass, forward and back, and a step of the optimiser."""
    adapted.adapter.train()
    if settings.checkpoint_activations:
        adapted.model.model.activation_checkpointing_enable({"use_reentrant": False})
    trained = [weight for weight in adapted.adapter.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=ANY_RATE)
    device = model.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        one_pass()
        peak, how = torch.cuda.max_memory_allocated(device), "the most that was allocated"
    else:
        with _Live() as live:
            one_pass()
        weights = {id(weight): weight for each in (model.model, adapted.adapter) for weight in each.parameters()}
        peak = live.peak_bytes + sum(weight.nbytes for weight in weights.values())
        how = "the weights, and the most that tensors held beside them"
    optimiser.step()
    pass_s = _seconds(device, one_pass)
    step_s = _seconds(device, optimiser.step)
    kept = ADAM_BYTES * sum(weight.numel() for weight in trained)
    return _Taken(pass_s, step_s, peak + kept, f"{how}, and what Adam keeps ({kept / 1e6:.3g} MB)")


class _Live(TorchDispatchMode):
    """While this lasts, counts the bytes of the tensors that are made and not yet gone."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak_bytes = 0
        self._bytes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {_address(given) for given in tree_leaves((args, kwargs)) if isinstance(given, Tensor)}
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            # A view, or what was changed in place, is nothing new.
            if isinstance(tensor, Tensor) and _address(tensor) not in known:
                self._add(tensor)
        return made

    def _add(self, tensor: Tensor) -> None:
        storage, address = tensor.untyped_storage(), _address(tensor)
        self._bytes[address] = storage.nbytes()
        finalize(storage, self._bytes.pop, address, None)
        self.peak_bytes = max(self.peak_bytes, sum(self._bytes.values()))


def _address(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _seconds(device: torch.device, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _counts(model: LanguageModel, adapted: Adapted) -> tuple[int, int]:
    """How many numbers are trained, and how many the model has."""
    trained = sum(weight.numel() for weight in adapted.adapter.parameters() if weight.requires_grad)
    return trained, int(model.model.num_parameters())


def _tokens(paths: Sequence[int], sizes: Sequence[PathSize]) -> int:
    """Of a pass, padding included."""
    return len(paths) * max(sizes[at].tokens for at in paths)


def _longest(row: Sequence[Completion]) -> int:
    return max(len(text.context) + len(text.ids) for text in row)


def _padded(texts: Sequence[Completion]) -> tuple[Tensor, Tensor]:
    """Ids and labels, (B, T) each, padded on the right."""
    ids = [torch.tensor([*text.context, *text.ids]) for text in texts]
    labels = [torch.tensor([*[NOT_LEARNED] * len(text.context), *text.ids]) for text in texts]
    return pad_sequence(ids, batch_first=True), pad_sequence(labels, batch_first=True, padding_value=NOT_LEARNED)


@contextmanager
def _explained(model: LanguageModel) -> Iterator[None]:
    """Say what it means where memory runs out."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        free = free_bytes(model.device)
        known = "" if free is None else f" ({free / 1e9:.1f} GB free)"
        raise ModelError(
            f"a single pass does not fit into the memory of {model.device}{known}",
            "lower pass_tokens, or set checkpoint_activations: --set TUNER.pass_tokens=2048, or "
            "--set TUNER.checkpoint_activations=true",
        ) from error
