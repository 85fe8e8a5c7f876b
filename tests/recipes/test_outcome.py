from pathlib import Path

import pytest
import torch

from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.prove.evidence import compare
from planish.recipes.outcome import Outcome
from planish.recipes.rectify import rectify
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.record import read_records
from planish.steer.cap import Cap
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.steering import SteeringSettings, load_steers
from planish.steer.tag import Tag
from planish.train.tagging import train_tagging


@pytest.fixture(scope="module")
def texts(tiny: LanguageModel) -> list[Generation]:
    return Engine(tiny, sampling=Sampling(max_tokens=10)).generate(openings()[:3], samples=4)


@pytest.fixture(scope="module")
def bundled_run() -> Outcome:
    """A value head was fitted in it."""
    return rectify(load_model("bundled"), openings()[:9], 24, Sampling(max_tokens=20))


def test_rows_and_evidence_come_back_as_they_were(tmp_path: Path, texts: list[Generation]) -> None:
    sides = ({prompt: [(figure, 1.0)] for prompt in "abc"} for figure in (4.0, 0.0))
    outcome = Outcome([compare("x", "", "", *sides, better="lower")], rows={"before": texts, "after": []})
    outcome.save(tmp_path / "new" / "run")
    saved = tmp_path / "new" / "run"
    assert read_records(saved / "evidence.jsonl", Evidence) == outcome.evidence
    assert read_records(saved / "before.jsonl", Generation) == texts
    assert read_records(saved / "after.jsonl", Generation) == []
    assert not (saved / "model").exists()
    assert not (saved / "value_head.safetensors").exists()


def test_a_saved_value_head_caps_what_the_fitted_one_caps(tmp_path: Path, bundled_run: Outcome) -> None:
    bundled_run.save(tmp_path)
    model = load_model("bundled")
    settings = SteeringSettings(cap=tmp_path / "value_head.safetensors", epsilon=0.2)
    assert bundled_run.head is not None
    caps = (load_steers(settings, model), [Cap(bundled_run.head, 0.2)])
    sampling = Sampling(max_tokens=20)
    read, fitted = (Engine(model, steers, sampling).generate(openings()[:4], 4) for steers in caps)
    assert [text.token_ids for text in read] == [text.token_ids for text in fitted]
    plain = Engine(model, [], sampling).generate(openings()[:4], 4)
    assert [text.token_ids for text in read] != [text.token_ids for text in plain]
    assert not (tmp_path / "model").exists()


def test_a_saved_model_writes_what_it_wrote_with_its_tags(
    tmp_path: Path, tiny: LanguageModel, texts: list[Generation]
) -> None:
    tags: dict[str, str | None] = {text.id: ("<|even|>", "<|odd|>")[text.sample % 2] for text in texts}
    tuned = train_tagging(tiny, openings()[:3], texts, tags, epochs=1)
    Outcome([], tuned).save(tmp_path)
    loaded = load_model(str(tmp_path / "model"))
    assert loaded.tags == tuned.tags
    written, again = (
        Engine(model, [Tag("<|odd|>", "<|even|>", strength=2)], Sampling(max_tokens=10)).generate(openings()[:3])
        for model in (tuned, loaded)
    )
    assert [text.token_ids for text in written] == [text.token_ids for text in again]
    weights = tuned.model.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in loaded.model.state_dict().items())
