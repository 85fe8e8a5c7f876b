from typing import Any

import pytest
import torch

from planish.config import Settings
from planish.errors import UsageError
from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.train.ftpo import FtpoSettings

# For each setting a value that is not its default.
OTHER_VALUES: dict[str, Any] = {
    "max_tokens": 7,
    "temperature": 0.3,
    "top_k": 2,
    "top_p": 0.3,
    "min_p": 0.5,
    "repetition_penalty": 2.0,
    "no_repeat_ngram": 1,
    "min_tokens": 40,
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
    plain = {"max_tokens": 40}
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
