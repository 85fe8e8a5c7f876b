"""HellaSwag: does a model find the ending likeliest that belongs to a beginning.

Source: Zellers et al., HellaSwag: Can a Machine Really Finish Your Sentence? (2019), arXiv 1905.07830.
"""

import os
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

import yaml  # type: ignore[import-untyped]
from datasets import Dataset
from lm_eval import evaluator
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks.hellaswag import utils
from pydantic import ConfigDict, model_validator

from planish.models.language_model import LanguageModel
from planish.prove.benchmarks.figures import Scored
from planish.prove.benchmarks.processes import share_out
from planish.prove.benchmarks.rows import read_rows
from planish.records.record import Record

GROUP = "HellaSwag rows"
TASK = "hellaswag"
# Each with four endings of some twenty words.
ROWS_AT_ONCE = 16


class HellaswagRow(Record):
    """A beginning with its endings: as its data set has them, or with the whole beginning in `ctx`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    activity_label: str = ""
    ctx_a: str | None = None
    ctx_b: str = ""
    ctx: str = ""
    endings: tuple[str, ...]
    label: int

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if self.ctx_a is None and not self.ctx:
            raise ValueError("it has neither ctx_a nor ctx")
        if not 0 <= self.label < len(self.endings):
            raise ValueError(f"label {self.label} is none of {len(self.endings)} endings")
        return self

    def document(self) -> dict[str, Any]:
        """As lm-evaluation-harness's task makes it of a row."""
        text = self.ctx if self.ctx_a is None else f"{self.ctx_a} {self.ctx_b.capitalize()}"
        whole = f"{self.activity_label}: {text}" if self.activity_label else text
        choices = [utils.preprocess(ending) for ending in self.endings]
        return {"query": utils.preprocess(whole), "choices": choices, "label": self.label}


class HellaswagScore(Record):
    """Whether the right ending was the likeliest: as a whole, and by its length in characters."""

    row: int
    acc: bool
    acc_norm: bool


def read_hellaswag(data: Path | None, limit: int | None = None) -> list[HellaswagRow]:
    """The rows.

    Raises:
        DataError: the file cannot be read, or a row is off.
    """
    return read_rows(data, HellaswagRow, "Rowan/hellaswag", "validation")[:limit]


def score(model: LanguageModel, rows: Sequence[HellaswagRow]) -> list[HellaswagScore]:
    """Every row, scored by lm-evaluation-harness's own task, without a chat template."""
    # It may give the tokenizer a token to fill up with.
    reader = _Reader(pretrained=model.model, tokenizer=deepcopy(model.tokenizer), batch_size=ROWS_AT_ONCE)

    def work(share: Sequence[HellaswagRow]) -> list[tuple[bool, bool]]:
        found = evaluator.evaluate(reader, {TASK: _task(share)}, bootstrap_iters=0, log_samples=True)
        samples = sorted(found["samples"][TASK], key=lambda sample: sample["doc_id"])
        return [(bool(sample["acc"]), bool(sample["acc_norm"])) for sample in samples]

    answers = share_out(rows, work)
    return [HellaswagScore(row=place, acc=acc, acc_norm=norm) for place, (acc, norm) in enumerate(answers, start=1)]


def scored(scores: Sequence[HellaswagScore]) -> list[Scored]:
    """Both numbers."""
    return [
        Scored("hellaswag_acc", "of rows", {str(each.row): (float(each.acc), 1.0) for each in scores}),
        Scored("hellaswag_acc_norm", "of rows", {str(each.row): (float(each.acc_norm), 1.0) for each in scores}),
    ]


def notes_of_scoring(rows: Sequence[HellaswagRow]) -> list[str]:
    """Which rows are not scored quite as those of the data set are."""
    whole = sum(row.ctx_a is None for row in rows)
    if not whole:
        return []
    return [
        f"{whole} of {len(rows)} rows have no ctx_a: their ctx was read as it stands, its last part not capitalised"
    ]


def _task(rows: Sequence[HellaswagRow]) -> ConfigurableTask:
    """The harness's task on these rows, all else as it is there."""
    config = yaml.load(Path(utils.__file__).with_name("hellaswag.yaml").read_text(), Loader=_Plain)  # noqa: S506
    documents = Dataset.from_list([row.document() for row in rows])
    own = {"training_split": None, "process_docs": None, "custom_dataset": lambda **_: {"validation": documents}}
    return ConfigurableTask(config={**config, **own})


class _Reader(HFLM):  # type: ignore[misc]
    """Shows no bar where none is wanted, which the harness asks nobody."""

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        hidden = disable_tqdm or bool(os.environ.get("TQDM_DISABLE"))
        return list(super().loglikelihood(requests, disable_tqdm=hidden))


class _Plain(yaml.SafeLoader):  # type: ignore[misc]
    """Leaves a named function a name: the one there is does what `HellaswagRow.document` does."""


_Plain.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
