from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, BertForMaskedLM

from planish.errors import ModelError, UsageError
from planish.find.classifier import Classifier
from planish.models.tiny import tiny_tokenizer
from planish.records.prompt import opening
from planish.records.score import Failure, Sample, Score

LABELS = {0: "fine", 1: "Gloomy", 2: "refusal"}
POSITIONS = 24


def config(**options: Any) -> BertConfig:
    labels: dict[str, Any] = {"id2label": LABELS, "label2id": {label: number for number, label in LABELS.items()}}
    return BertConfig(
        vocab_size=len(tiny_tokenizer()),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=POSITIONS,
        initializer_range=1.0,
        pad_token_id=0,
        **labels | options,
    )


def saved(folder: Path, **options: Any) -> str:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_config(config(**options))
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def scores(classifier: Classifier, *texts: str) -> list[Score]:
    answers = classifier.score([Sample(opening("x"), text, str(number)) for number, text in enumerate(texts)])
    found = [answer for answer in answers if isinstance(answer, Score)]
    assert found == answers
    return found


TEXTS = ["No.", "A long and gloomy day", "yes yes", "I cannot write that."]


def test_the_probabilities_of_all_labels_are_one(tmp_path: Path) -> None:
    model = saved(tmp_path)
    by_label = [scores(Classifier(model, label), *TEXTS) for label in LABELS.values()]
    for answers in zip(*by_label, strict=True):
        assert sum(answer.value for answer in answers) == pytest.approx(1, abs=1e-5)
        assert all(0 <= answer.value <= 1 and answer.hits == (answer.value >= 0.5) for answer in answers)


def test_the_value_is_that_of_the_model_itself(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    short = [text for text in TEXTS if len(tiny_tokenizer()(text)["input_ids"]) <= POSITIONS - 2]
    assert len(short) >= 3
    for text, answer in zip(short, scores(Classifier(folder, "gloomy", batch_size=2), *short), strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([tiny_tokenizer()(text)["input_ids"]])).logits[0]
        assert answer.value == pytest.approx(float(logits.softmax(0)[1]), abs=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_a_text_is_scored_alike_whatever_is_scored_with_it(tmp_path: Path, batch_size: int) -> None:
    classifier = Classifier(saved(tmp_path), batch_size=batch_size)
    together = scores(classifier, *TEXTS)
    alone = [scores(classifier, text)[0] for text in TEXTS]
    assert [answer.value for answer in together] == pytest.approx([answer.value for answer in alone], abs=1e-5)
    assert [answer.generation_id for answer in together] == ["0", "1", "2", "3"]


def test_labels_that_go_together_are_each_judged_by_itself(tmp_path: Path) -> None:
    model = saved(tmp_path, problem_type="multi_label_classification")
    total = sum(scores(Classifier(model, label), "No.")[0].value for label in LABELS.values())
    assert total != pytest.approx(1, abs=1e-3)


def test_a_long_text_is_as_bad_as_its_worst_piece(tmp_path: Path) -> None:
    classifier = Classifier(saved(tmp_path))
    length = POSITIONS - 2
    ids = tiny_tokenizer()("a b c d e f g h i j k l m n o p q r s t u v w x y z")["input_ids"]
    assert len(ids) > length
    pieces = [str(tiny_tokenizer().decode(ids[start : start + length])) for start in range(0, len(ids), length)]
    (whole,) = scores(classifier, str(tiny_tokenizer().decode(ids)))
    assert whole.value == pytest.approx(max(answer.value for answer in scores(classifier, *pieces)), abs=1e-5)


def test_what_the_model_cannot_read_is_a_failure_and_costs_no_other_its_score(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight[tiny_tokenizer()("Z")["input_ids"]] = torch.nan
        model.bert.embeddings.word_embeddings.weight[tiny_tokenizer()("a")["input_ids"]] = 0.0
    model.save_pretrained(folder)
    texts = ["No.", "a Z in it", "a \ud800 in it", "", "yes"]
    first, *failures, last = Classifier(folder).score([Sample(opening("x"), text, text) for text in texts])
    for answer, text in zip(failures, texts[1:-1], strict=True):
        assert isinstance(answer, Failure)
        assert (answer.generation_id, bool(answer.error)) == (text, True)
    assert isinstance(first, Score)
    assert isinstance(last, Score)


def test_the_label_is_found_in_any_case_and_is_the_last_by_default(tmp_path: Path) -> None:
    model = saved(tmp_path)
    assert (Classifier(model, "GLOOMY").name, Classifier(model).name, Classifier(model, name="mine").name) == (
        *("gloomy", "refusal", "mine"),
    )
    with pytest.raises(UsageError) as refused:
        Classifier(model, "sad")
    assert "Gloomy" in refused.value.hint


def test_the_version_tells_apart_weights_and_labels(tmp_path: Path) -> None:
    one = saved(tmp_path / "one")
    versions = {Classifier(one).version, Classifier(one, "fine").version}
    model = AutoModelForSequenceClassification.from_pretrained(one)
    with torch.no_grad():
        model.classifier.bias += 1
    model.save_pretrained(tmp_path / "two")
    tiny_tokenizer().save_pretrained(tmp_path / "two")
    versions.add(Classifier(str(tmp_path / "two")).version)
    assert len(versions) == 3
    assert Classifier(one).version in versions


def test_a_model_that_was_not_trained_to_classify_is_refused(tmp_path: Path) -> None:
    BertForMaskedLM(config()).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="not trained to classify"):
        Classifier(str(tmp_path))


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot load"):
        Classifier(folder)
    with pytest.raises(ModelError, match="nowhere"):
        Classifier(str(tmp_path / "nowhere"))


def test_a_model_of_numbers_is_refused(tmp_path: Path) -> None:
    model = saved(tmp_path, problem_type="regression", num_labels=1, id2label={0: "x"}, label2id={"x": 0})
    with pytest.raises(ModelError, match="no probabilities"):
        Classifier(model)
