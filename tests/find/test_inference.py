from pathlib import Path
from typing import Any

import pytest
import torch
from test_classifier import saved

from planish.errors import UsageError
from planish.find.inference import Inference

LABELS = {0: "entailment", 1: "neutral", 2: "CONTRADICTION"}
NUMBERS = {label: number for number, label in LABELS.items()}
PAIRS = [("Do not use commas.", text) for text in ("No commas.", "Use many commas, please.", "", "commas " * 400)]


def test_a_text_contradicts_another_where_that_label_is_the_likeliest(tmp_path: Path) -> None:
    inference = Inference(saved(tmp_path, id2label=LABELS, label2id=NUMBERS))
    head: Any = inference._model.classifier
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
        assert inference.contradicts(PAIRS) == [True] * len(PAIRS)
        head.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
        assert inference.contradicts(PAIRS) == [False] * len(PAIRS)


def test_both_texts_are_read(tmp_path: Path) -> None:
    inference = Inference(saved(tmp_path, id2label=LABELS, label2id=NUMBERS))
    said = {
        tuple(inference.contradicts([(premise, hypothesis) for hypothesis in ("a b", "zz top", "no", "yes yes")]))
        for premise in ("one", "a longer premise", "never", "ever")
    }
    assert len(said) > 1


def test_a_model_without_such_a_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no label 'contradiction'") as error:
        Inference(saved(tmp_path))
    assert "Gloomy" in error.value.hint
