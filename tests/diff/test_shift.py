import pytest
import torch

from planish.diff.shift import token_shifts
from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.records.generation import Generation
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling


@pytest.fixture(scope="module")
def texts(tiny: LanguageModel) -> list[Generation]:
    return Engine(tiny, sampling=Sampling(max_tokens=10)).generate(openings()[:3], samples=2)


def test_a_model_shifts_no_token_against_itself(tiny: LanguageModel, texts: list[Generation]) -> None:
    shifts = token_shifts(tiny, tiny, texts)
    assert sorted(shift.token_id for shift in shifts) == list(range(tiny.vocabulary))
    assert all(shift.gained == 0 for shift in shifts)
    assert sum(shift.first_per_1k for shift in shifts) == pytest.approx(1000, rel=1e-4)


def test_a_token_that_is_made_likelier_has_gained_the_most(tiny: LanguageModel, texts: list[Generation]) -> None:
    other = tiny_llama(seed=1)
    shifts = token_shifts(tiny, other, texts)
    assert [shift.gained for shift in shifts] == sorted(shift.gained for shift in shifts)
    # By hand: both models' probabilities of the last one, at every token of the texts.
    top, expected = shifts[-1], []
    for model in (tiny, other):
        total = 0.0
        for text in texts:
            ids = torch.tensor([[*text.prompt_token_ids, *text.token_ids]])
            with torch.no_grad():
                probabilities = model.model(input_ids=ids).logits[0].softmax(-1)
            total += float(probabilities[len(text.prompt_token_ids) - 1 : -1, top.token_id].sum())
        expected.append(1000 * total / sum(len(text.token_ids) for text in texts))
    assert (top.first_per_1k, top.second_per_1k) == pytest.approx(tuple(expected), rel=1e-4)
    assert top.gained == pytest.approx(expected[1] - expected[0], rel=1e-3)
    assert top.gained > 0
    assert top.token == tiny.tokenizer.convert_ids_to_tokens(top.token_id)


def test_failed_generations_are_left_out(tiny: LanguageModel, texts: list[Generation]) -> None:
    failed = texts[0].model_copy(update={"id": "failed", "status": "failed", "token_ids": texts[0].token_ids[:4]})
    other = tiny_llama(seed=1)
    clean, kept = (
        {shift.token_id: shift.gained for shift in token_shifts(tiny, other, side)}
        for side in (texts, [*texts, failed])
    )
    assert kept == pytest.approx(clean, abs=1e-3)
