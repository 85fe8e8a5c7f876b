import math
from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from served_model import served_by

from fake_server import fake_server
from planish.errors import ModelError
from planish.models.endpoint import Endpoint
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tiny import tiny_llama
from planish.recipes.same_model import MOST_APART, distance, require_same_model, total_variation
from planish.records.prompt import opening

GROUP = 32


@pytest.fixture(scope="module")
def bundled() -> LanguageModel:
    return load_model("bundled")


def in_bits(model: LanguageModel, bits: int) -> LanguageModel:
    """A copy whose matrices are rounded to so many bits, in groups, as the crudest quantisation does."""
    copy = deepcopy(model.model)
    with torch.no_grad():
        for weight in copy.parameters():
            if weight.dim() == 2 and weight.numel() % GROUP == 0:
                groups = weight.view(-1, GROUP)
                step = groups.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
                groups.copy_((groups / step).round() * step)
    return LanguageModel(copy, model.tokenizer, model.name)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_quantised_copy_is_the_same_model(bits: int, bundled: LanguageModel) -> None:
    with fake_server(served_by(in_bits(bundled, bits))) as server:
        require_same_model(Endpoint(server.url), bundled)


def test_another_tokenizer_and_other_weights_are_refused_in_one_line(
    tiny: LanguageModel, bundled: LanguageModel
) -> None:
    for served, here in ((bundled, tiny), (tiny_llama(seed=1), tiny)):
        with fake_server(served_by(served)) as server, pytest.raises(ModelError, match="'fake'") as caught:
            require_same_model(Endpoint(server.url, model="fake"), here)
        assert repr(here.name) in caught.value.message
        assert "\n" not in caught.value.message
        assert caught.value.hint


def test_a_server_that_does_not_know_the_ids_is_refused(tiny: LanguageModel) -> None:
    with fake_server(served_by(tiny), faults=[None], usual=400) as server:
        endpoint = Endpoint(server.url)
        endpoint.check()
        with pytest.raises(ModelError, match=r"'tiny'.*not now") as caught:
            require_same_model(endpoint, tiny)
    assert caught.value.hint


def test_a_model_is_no_distance_from_itself(bundled: LanguageModel) -> None:
    with fake_server(served_by(bundled)) as server:
        assert distance(Endpoint(server.url), bundled, opening("The dog")) < 1e-3


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)), min_size=3, max_size=30), st.integers(2, 30))
def test_what_is_shown_bounds_the_distance_from_below_and_is_it_when_all_is_shown(
    weights: list[tuple[float, float]], shown: int
) -> None:
    here, there = (torch.tensor(side, dtype=torch.float64) for side in zip(*weights, strict=True))
    here, there = here / here.sum(), there / there.sum()
    true = 0.5 * float((here - there).abs().sum())
    top = there.topk(min(shown, len(there)))
    known = dict(zip(top.indices.tolist(), top.values.tolist(), strict=True))
    found = total_variation(here, known, min(known.values()))
    assert 0 <= found <= true + 1e-9
    if len(known) == len(there):
        assert math.isclose(found, true, abs_tol=1e-9)


def test_ids_that_the_model_does_not_have_count_in_full() -> None:
    here = torch.tensor([0.5, 0.5])
    assert total_variation(here, {7: 0.6, 8: 0.4}, 0.4) == pytest.approx(1.0)
    assert MOST_APART < 1
