"""Any text-classification model of Hugging Face, as a behaviour."""

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from planish.errors import ModelError, UsageError
from planish.records.score import Failure, Sample, Score
from planish.text.words import words

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# From here on a text counts as a hit.
HIT = 0.5
# Some families number positions from 2, so that they have so many fewer than their configuration says.
UNUSED_POSITIONS = 2
# Of each tensor so many values tell its weights apart.
TOLD_BY_VALUES = 1024


class Classifier:
    """The probability that a model gives one of its labels. It scores, and cannot say where a text has it.

    A text that is longer than the model can read is scored in pieces, and its `value` is that of the highest. `hits` is
    1 from a probability of 0.5 on. To name one on the command line, put a class without arguments into a file:

        class Toxic(Classifier):
            def __init__(self) -> None:
                super().__init__("owner/name", "toxic")

    Args:
        model: a folder or a Hub id. Safetensors only, and never remote code.
        label: the one that is unwanted, in any case; by default the model's last.
        name: of the behaviour; the label by default.
        device: cpu, cuda or mps.
        batch_size: pieces in one pass.

    Raises:
        ModelError: the model cannot be loaded, was not trained to classify, or gives no probabilities.
        UsageError: it has no such label.
    """

    def __init__(
        self, model: str, label: str | None = None, name: str = "", device: str = "cpu", batch_size: int = 32
    ) -> None:
        self._model, self._tokenizer = loaded_classifier(model, device)
        labels = _labels(self._model)
        self._label = len(labels) - 1 if label is None else label_number(self._model, model, label)
        self.name = name or labels[self._label].lower()
        self.version = _hash(self._model, labels[self._label])
        self._batch_size = batch_size

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """One answer a text, whatever the others are; what the model cannot read is a failure."""
        pieces: list[tuple[int, dict[str, Any]]] = []
        errors: dict[int, str] = {}
        for number, sample in enumerate(samples):
            try:
                pieces += [(number, piece) for piece in self._pieces(sample.text)]
            except (RuntimeError, ValueError, TypeError) as error:
                errors[number] = _first_line(error)
        # Pieces of like length share a pass, so that little is padded.
        pieces.sort(key=lambda piece: -len(piece[1]["input_ids"]))
        values: dict[int, float] = {}
        for start in range(0, len(pieces), self._batch_size):
            batch = pieces[start : start + self._batch_size]
            for (number, _), value in zip(batch, self._values([piece for _, piece in batch]), strict=True):
                if isinstance(value, str):
                    errors.setdefault(number, value)
                else:
                    values[number] = max(value, values.get(number, 0.0))
        return [
            Failure(generation_id=sample.generation_id, behaviour=self.name, error=errors[number])
            if number in errors
            else self._score(sample, values[number])
            for number, sample in enumerate(samples)
        ]

    def _score(self, sample: Sample, value: float) -> Score:
        return Score(
            generation_id=sample.generation_id,
            behaviour=self.name,
            version=self.version,
            value=value,
            hits=int(value >= HIT),
            words=len(words(sample.text)),
        )

    def _pieces(self, text: str) -> list[dict[str, Any]]:
        """What the model is to read, in pieces that it can read; at least one."""
        positions = getattr(self._model.config, "max_position_embeddings", None) or math.inf
        longest = min(self._tokenizer.model_max_length, positions - UNUSED_POSITIONS)
        encoded = self._tokenizer(text, truncation=True, max_length=int(longest), return_overflowing_tokens=True)
        if not encoded["input_ids"][0]:
            raise ValueError("the model reads nothing in it")
        kept = [name for name in self._tokenizer.model_input_names if name in encoded]
        return [{name: encoded[name][number] for name in kept} for number in range(len(encoded["input_ids"]))]

    def _values(self, pieces: Sequence[dict[str, Any]]) -> list[float | str]:
        """The probability of each piece, or why there is none; where a batch fails, its pieces are read one by one."""
        try:
            probabilities = self._probabilities(pieces).tolist()
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            if len(pieces) == 1:
                return [_first_line(error)]
            return [value for piece in pieces for value in self._values([piece])]
        return [value if math.isfinite(value) else "the model gives no probability" for value in probabilities]

    @torch.inference_mode()
    def _probabilities(self, pieces: Sequence[dict[str, Any]]) -> Tensor:
        """(B,) the probability of the label."""
        if len(pieces) == 1:  # many a tokenizer has nothing to pad with
            batch = {name: torch.tensor([values]) for name, values in pieces[0].items()}
        else:
            batch = dict(self._tokenizer.pad(list(pieces), return_tensors="pt"))
        logits = self._model(**{name: tensor.to(self._model.device) for name, tensor in batch.items()}).logits.float()
        config = self._model.config
        is_each_by_itself = config.num_labels == 1 or config.problem_type == "multi_label_classification"
        probabilities: Tensor = logits.sigmoid() if is_each_by_itself else logits.softmax(-1)
        return probabilities[:, self._label]


def loaded_classifier(name: str, device: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """A text-classification model, and its tokenizer.

    Raises:
        ModelError: it cannot be loaded, was not trained to classify, or gives no probabilities.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    hint = "give a folder or the Hub id of a text-classification model with *.safetensors"
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            name, use_safetensors=True, trust_remote_code=False, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # a broken folder can break any part of two libraries
        raise ModelError(f"cannot load the classifier {name!r}: {_first_line(error)}", hint) from error
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])[0]
        raise ModelError(f"{name!r} was not trained to classify: it has no {missing}", hint)
    if model.config.problem_type == "regression":
        raise ModelError(f"{name!r} gives numbers and no probabilities", hint)
    try:
        return nn.Module.to(model, device).eval(), tokenizer
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"{name!r} cannot be moved to {device!r}: {_first_line(error)}", "use device cpu") from error


def label_number(model: "PreTrainedModel", name: str, wanted: str) -> int:
    """The number of a label, in any case.

    Raises:
        UsageError: the model, of this name, has none like it.
    """
    labels = _labels(model)
    for number, label in enumerate(labels):
        if label.lower() == wanted.lower():
            return number
    raise UsageError(f"{name!r} has no label {wanted!r}", f"one of {', '.join(labels)}")


def _labels(model: "PreTrainedModel") -> list[str]:
    return [text for _, text in sorted((model.config.id2label or {}).items())]


def _hash(model: "PreTrainedModel", label: str) -> str:
    digest = hashlib.blake2b(label.encode() + b"\0", digest_size=8)
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().flatten()[:TOLD_BY_VALUES].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
