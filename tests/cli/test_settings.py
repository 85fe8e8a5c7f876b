from pathlib import Path
from typing import Any

import pytest
import torch
from in_process import Planish

from planish.config import Settings
from planish.errors import UsageError
from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.recipes.engine_settings import EngineSettings
from planish.recipes.outcome import Outcome
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.train.ftpo_settings import FtpoSettings

# What decides over texts of two models, or needs more than a server gives, and so takes no address of a server.
NO_ADDRESS = {"diff": 2, "prove": 2, "rectify": 1, "condition": 1}
# For each setting a value that is not its default.
OTHER_VALUES: dict[str, Any] = {
    "max_tokens": 7,
    "temperature": 0.3,
    "top_k": 2,
    "top_p": 0.3,
    "min_p": 0.5,
    "repetition_penalty": 2.0,
    "no_repeat_ngram": 1,
    "min_tokens": 200,
    "stop": "r",
}
# What looks at one distribution alone.
TRUNCATING = ["temperature", "top_k", "top_p", "min_p"]


@pytest.mark.parametrize("kind", [Sampling, FtpoSettings])
def test_an_unknown_key_is_refused_with_the_nearest_known_one(kind: type[Settings]) -> None:
    for key in kind.model_fields:
        with pytest.raises(UsageError, match=key[:-1]) as caught:
            kind.from_user({key + "x": 1})
        assert repr(key) in caught.value.hint


def test_a_key_that_resembles_none_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(UsageError, match="colour") as caught:
        Sampling.from_user({"colour": 1})
    assert all(key in caught.value.hint for key in Sampling.model_fields)


@pytest.mark.parametrize(
    ("key", "value"),
    [("top_p", 7), ("top_p", 0), ("top_k", 0), ("temperature", -1), ("min_p", 1), ("max_tokens", 0), ("top_k", "two")],
)
def test_a_value_out_of_range_is_refused_with_the_key(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{key} = {value!r}") as caught:
        Sampling.from_user({key: value})
    assert key in caught.value.hint
    assert caught.value.exit_code == 2


def test_values_may_come_as_text() -> None:
    assert Sampling.from_user({"top_p": "0.5", "top_k": "3"}) == Sampling(top_p=0.5, top_k=3)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Sampling().top_p = 0.5


def test_there_is_a_case_for_every_sampling_setting() -> None:
    assert list(OTHER_VALUES) == list(Sampling.model_fields)


@pytest.mark.parametrize("key", OTHER_VALUES)
def test_every_sampling_setting_changes_what_is_written(key: str, tiny: LanguageModel) -> None:
    plain = {"max_tokens": 200}
    first, other = (
        Engine(tiny, sampling=Sampling.from_user(given)).generate(openings()[:4], samples=2)
        for given in (plain, plain | {key: OTHER_VALUES[key]})
    )
    assert [text.token_ids for text in first] != [text.token_ids for text in other]


@pytest.mark.parametrize("key", TRUNCATING)
def test_every_setting_that_cuts_a_distribution_changes_it(key: str) -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    changed = Sampling.from_user({key: OTHER_VALUES[key]}).truncate(logits.clone())
    assert not torch.equal(changed, logits)
    assert torch.equal(Sampling().truncate(logits.clone()), logits)


@pytest.mark.parametrize("verb", NO_ADDRESS)
def test_a_server_that_cannot_do_it_is_refused_before_a_model_is_loaded(verb: str, planish: Planish) -> None:
    models = ["no-model"] * NO_ADDRESS[verb]
    error = planish.fails(2, verb, *models, "--engine", "http://127.0.0.1:1", "--out", "here")
    assert "http://127.0.0.1:1" in error
    assert "--engine local" in error
    assert not Path("here").exists()


@pytest.mark.parametrize("verb", ["rectify", "condition"])
def test_what_needs_all_logits_does_not_go_on_a_server_of_ours_either(verb: str, planish: Planish) -> None:
    assert "logits" in planish.fails(2, verb, "no-model", "--engine", "vllm")


@pytest.mark.parametrize("verb", ["autoif", *NO_ADDRESS])
def test_an_engine_that_is_none_is_named_with_those_there_are(verb: str, planish: Planish) -> None:
    error = planish.fails(2, verb, *["no-model"] * NO_ADDRESS.get(verb, 1), "--engine", "lokal")
    assert all(word in error for word in ("lokal", "local", "vllm", "http"))


def test_the_engine_reaches_the_recipe(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[EngineSettings] = []

    def recipe(*_: object, engine: EngineSettings) -> Outcome:
        given.append(engine)
        return Outcome([])

    monkeypatch.setattr("planish.recipes.diff.diff", recipe)
    assert planish("diff", "tiny", "tiny", "--engine", "vllm", "--concurrency", 3).code == 0
    assert planish("diff", "tiny", "tiny").code == 0
    assert given == [EngineSettings(engine="vllm", concurrency=3), EngineSettings()]


@pytest.mark.parametrize("engine", ["local", "vllm", "http://localhost:8000/v1", "localhost:8000", "https://host"])
def test_an_engine_is_local_or_vllm_or_an_address(engine: str) -> None:
    assert EngineSettings.from_user({"engine": engine}).engine == engine


@pytest.mark.parametrize("engine", ["", "lokal", "VLLM", "ftp://host", "http://", "host/v1", "http://me:pass@host"])
def test_any_other_engine_is_refused(engine: str) -> None:
    with pytest.raises(UsageError) as caught:
        EngineSettings.from_user({"engine": engine})
    assert caught.value.hint
    assert "pass@" not in caught.value.message + caught.value.hint
