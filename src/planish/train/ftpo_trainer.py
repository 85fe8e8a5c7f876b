"""Final token preference optimisation as a `transformers.Trainer`.

Axes: `P` points, `N` places, `V` vocabulary, `D` width.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainingArguments

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.records.preference import TokenPreferences
from planish.train.adapter import Adapted
from planish.train.dropout import without_own_dropout
from planish.train.float32_head import float32_logits
from planish.train.ftpo_loss import ftpo_loss
from planish.train.ftpo_settings import FtpoSettings
from planish.train.passes import Passes, steps_an_epoch, tokens_a_pass
from planish.train.path_rows import PathRows, collated, points_of
from planish.train.point_figures import Figures, Voice, figures
from planish.train.point_states import point_states
from planish.train.training import FiniteTrainer

# So many places of a held-out path, where nothing is preferred, show how far the model has drifted.
MOST_WATCHED = 32

Rows = Sequence[TokenPreferences | Mapping[str, Any]]


class FTPOTrainer(FiniteTrainer):
    """Trains on `TokenPreferences`: one pass over each path, the head only at its points, in float32.

    The reference is the hidden state at each point as it is before training, kept once; there is no second model. Where
    the adapter is on the head alone these states do not change, and no path is read again.

    A step has about `FtpoSettings.step_points` points and every point counts the same, however paths are spread over
    passes and processes. `evaluate` looks at held-out points.

    Dropout of the model itself is switched off; that of the adapter stays. Where angles depend on the longest row of a
    pass, each path is read alone.

    Args:
        adapted: the model and its adapter.
        args: of the `Trainer`; batches go by points, so its batch sizes and accumulation are not read.
        train_dataset: rows to be trained on, as records or as a `Dataset` has them.
        eval_dataset: rows to be judged by.
        settings: the loss, and how much is read at once.
        callbacks: of the `Trainer`.

    Raises:
        DataError: there is nothing to train on, or a row does not fit the model.
    """

    def __init__(
        self,
        adapted: Adapted,
        args: TrainingArguments,
        train_dataset: Rows,
        eval_dataset: Rows = (),
        settings: FtpoSettings | None = None,
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        self.adapted = adapted
        self.settings = settings or FtpoSettings()
        self._rows, self._judged = PathRows(train_dataset), PathRows(eval_dataset, MOST_WATCHED)
        _refuse_unreadable(adapted.model, [*self._rows.paths, *self._judged.paths])
        if not len(self._rows):
            raise DataError("there is no path to train on", "give at least one with a point")
        # The reference is read without; what chance leaves out is no drift.
        without_own_dropout(adapted.adapter)
        self._pass_tokens = tokens_a_pass(adapted.model, self.settings.pass_tokens)
        steps = steps_an_epoch(self._rows.sizes, self.settings.step_points)
        self._rows.passes = Passes(
            self._rows.sizes,
            self.settings.step_points,
            self._pass_tokens,
            epochs=math.ceil(args.max_steps / steps if args.max_steps > 0 else args.num_train_epochs),
            processes=args.world_size,
            seed=args.seed if args.data_seed is None else args.data_seed,
        )
        own: Any = copy.deepcopy(args)
        own.remove_unused_columns = False
        own.gradient_accumulation_steps = self._rows.passes.passes_a_step // args.world_size
        # Every process gets as many passes as any other already.
        own.accelerator_config.even_batches = False
        # A process takes one card, however many it sees: each pass has its own rows, which nobody shares out.
        own._n_gpu = min(1, args.n_gpu)
        super().__init__(
            model=adapted.adapter,
            args=own,
            train_dataset=self._rows,
            eval_dataset=self._judged,
            data_collator=collated,
            callbacks=callbacks,
        )
        # Points are counted as tokens are: over all passes of a step, on all processes.
        self.model_accepts_loss_kwargs = True
        for rows in (self._rows, self._judged):
            rows.states = self._reference_states(rows)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """A pass at a time."""
        loader: DataLoader[Any] = DataLoader(self._rows, batch_sampler=self._rows.passes, collate_fn=collated)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def compute_loss(
        self, model: nn.Module, inputs: Mapping[str, Any], *_: Any, num_items_in_batch: Any = None, **__: Any
    ) -> Tensor:
        """The FTPO loss of a pass, as its share of that of its step."""
        points = points_of(inputs)
        count = len(points.rejected)
        if not count:
            # It goes through everything and back all the same: processes wait for one another there.
            return 0.0 * self.adapted.model.head(self._states(model, inputs)).sum()
        logits, reference = self._logits(model, inputs)
        loss = ftpo_loss(logits, reference, points, self.settings).total(self.settings)
        # The mean over processes is taken later.
        share: Tensor = loss * self.accelerator.num_processes * count / (num_items_in_batch or count)
        return share

    @torch.no_grad()
    def evaluate(
        self, eval_dataset: object = None, ignore_keys: object = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """On held-out rows: the share of chosen tokens that are likelier than the rejected one, and the drift.

        The drift is the KL divergence from the untrained model, in nats a token, at places between the points.
        """
        network = self.adapted.adapter
        was_training = network.training
        network.eval()
        wins: list[float] = []
        drifts: list[float] = []
        for at in self._judged.alike(self._pass_tokens):
            inputs: dict[str, Any] = self._prepare_inputs(collated([self._judged[index] for index in at]))
            with self.compute_loss_context_manager():
                found = self._figures(network, inputs)
            wins += [point.wins[1] for point in found.points]
            drifts += found.drifts
        network.train(was_training)
        metrics = {f"{metric_key_prefix}_win_rate": _mean(wins), f"{metric_key_prefix}_drift": _mean(drifts)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _logits(self, model: nn.Module, inputs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """At the wanted places, the policy's and the reference's: (N, V) each, float32."""
        logits = float32_logits(self.adapted.model, self._states(model, inputs))
        return logits, self._reference_logits(inputs["reference"])

    def _figures(self, model: nn.Module, inputs: Mapping[str, Any]) -> Figures:
        """At the wanted places, the reference's and then the policy's."""
        policy = Voice(partial(float32_logits, self.adapted.model), self._states(model, inputs))
        return figures(Voice(self._reference_logits, inputs["reference"]), policy, points_of(inputs))

    @torch.no_grad()
    def _reference_logits(self, states: Tensor) -> Tensor:
        with self._without_adapter():
            return float32_logits(self.adapted.model, states)

    def _states(self, model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        """The policy's, at the wanted places: (N, D)."""
        # An empty pass has no reference.
        if self._only_head_changes and "reference" in inputs:
            known: Tensor = inputs["reference"]
            return known
        states = point_states(model, self.adapted.model, inputs)
        if isinstance(model, FSDPModule):
            # The head is asked beside the model, so what is split of it has to be put together by hand.
            model.unshard()
        return states

    @cached_property
    def _only_head_changes(self) -> bool:
        head = self.adapted.model.model.get_output_embeddings()
        trained = {id(weight) for weight in self.adapted.adapter.parameters() if weight.requires_grad}
        # Several processes put their gradients together only in a pass through the whole model.
        return self.args.world_size == 1 and trained <= {id(weight) for weight in head.parameters()}

    @torch.no_grad()
    def _reference_states(self, rows: PathRows) -> list[Tensor]:
        """The untrained model's states at the wanted places of each path, (N, D); each process works out its share."""
        network = self.adapted.adapter
        network.eval()
        known: list[tuple[int, Tensor]] = []
        for at in rows.alike(self._pass_tokens)[self.args.process_index :: self.args.world_size]:
            inputs: dict[str, Any] = self._prepare_inputs(collated([rows[index] for index in at]))
            with self.compute_loss_context_manager(), self._without_adapter():
                states = point_states(network, self.adapted.model, inputs).cpu()
            known += [(index, states[(inputs["rows"] == row).cpu()]) for row, index in enumerate(at)]
        return [states for _, states in sorted(gather_object(known), key=lambda each: each[0])]

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """The adapter's own weights: PEFT would put the whole head beside them wherever that has an adapter."""
        if self.args.should_save:
            folder = output_dir or str(self.args.output_dir)
            self.adapted.adapter.save_pretrained(folder, state_dict=state_dict, save_embedding_layers=False)

    def _without_adapter(self) -> AbstractContextManager[None]:
        context: AbstractContextManager[None] = self.adapted.adapter.disable_adapter()
        return context


def _refuse_unreadable(model: LanguageModel, paths: Sequence[TokenPreferences]) -> None:
    for path in paths:
        if len(path.token_ids) > model.context:
            raise DataError(
                f"a path of {path.generation_id!r} has {len(path.token_ids)} tokens, and {model.name!r} reads "
                f"{model.context} at most",
                "write shorter texts, or leave it out",
            )
        ids = {*path.token_ids, *(token for point in path.points for token in (point.rejected, *point.chosen))}
        if not 0 <= min(ids) <= max(ids) < model.vocabulary:
            wrong = max(ids) if max(ids) >= model.vocabulary else min(ids)
            raise DataError(
                f"a path of {path.generation_id!r} has the token {wrong}, and {model.name!r} has {model.vocabulary}",
                "train the model that wrote the texts, or one with its tokenizer",
            )


def _mean(values: Sequence[float]) -> float:
    """0 where there is none, as where nothing stands between the points."""
    return sum(values) / len(values) if values else 0.0
