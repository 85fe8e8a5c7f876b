import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from text_tuners import END, TEXTS, look_before_each_loss
from text_tuners import SFT_SETTINGS as SETTINGS
from torch import Tensor
from trl.trainer.sft_trainer import SFTTrainer
from tuned_weights import same_weights

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference
from planish.records.prompt import opening
from planish.train.sft import Completion, text_completion, train_sft

_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)


def log_probability(model: Any, completion: Completion) -> Tensor:
    """Of what is to be written, token by token."""
    log_probs = model(input_ids=torch.tensor([[*completion.context, *completion.ids]])).logits[0].log_softmax(-1)
    before = len(completion.context) - 1
    return torch.stack([log_probs[before + index, token] for index, token in enumerate(completion.ids)]).sum()


@torch.no_grad()
def plain_loss(model: Any, rows: Sequence[Completion]) -> float:
    """The mean over all tokens that are to be written."""
    return -sum(float(log_probability(model, row)) for row in rows) / sum(len(row.ids) for row in rows)


def test_the_loss_is_the_mean_over_what_is_to_be_written(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: list[float] = []
    look_before_each_loss(SFTTrainer, lambda model, _: expected.append(plain_loss(model, TEXTS)), monkeypatch)
    tuned = train_sft(tiny, TEXTS, SETTINGS.model_copy(update={"batch_size": len(TEXTS), "epochs": 5}))
    curve = [step.loss for step in tuned.steps]
    assert curve == pytest.approx(expected, abs=1e-4)
    assert curve[0] == pytest.approx(plain_loss(tiny.model, TEXTS), abs=1e-4)
    assert curve[-1] < curve[0] - 0.01


def test_what_is_written_becomes_likelier_and_the_prompt_does_not_matter(tiny: LanguageModel) -> None:
    before = copy.deepcopy(tiny.model.state_dict())
    tuned = train_sft(tiny, TEXTS, SETTINGS.model_copy(update={"epochs": 20})).adapted
    merged = tuned.merged().model
    with torch.no_grad():
        assert all(log_probability(merged, row) > log_probability(tiny.model, row) + 2 for row in TEXTS)
    assert all(torch.equal(weight, before[name]) for name, weight in tiny.model.state_dict().items())


@pytest.mark.parametrize("ended", [True, False])
def test_only_what_ended_is_taught_to_end(ended: bool, tiny: LanguageModel) -> None:
    whole = text_completion(tiny, opening("Why "), "zz", ended=True)
    row = text_completion(tiny, opening("Why "), "zz", ended=ended)
    assert whole.ids[-1] == END
    assert row.ids == (whole.ids if ended else whole.ids[:-1])
    ending = Completion((*whole.context, *whole.ids[:-1]), (END,))
    merged = train_sft(tiny, [row], SETTINGS.model_copy(update={"epochs": 40})).adapted.merged().model
    with torch.no_grad():
        gained = log_probability(merged, ending) - log_probability(tiny.model, ending)
    assert (gained > 2) == ended


def test_every_kind_of_row_says_the_same(tiny: LanguageModel) -> None:
    prompt = opening("Why ")
    completion = text_completion(tiny, prompt, "zz", ended=False)
    generation = Generation(
        id="a",
        prompt_id=prompt.id,
        sample=0,
        seed=0,
        text="zz",
        prompt_token_ids=completion.context,
        token_ids=completion.ids,
        char_ends=(1, 2),
        finish="length",
    )
    preference = CompletionPreference.between(prompt, "zz", "eeee", (1, 0))
    by_kind = [train_sft(tiny, [row], SETTINGS) for row in (completion, generation, preference)]
    assert same_weights(by_kind[0], by_kind[1])
    assert same_weights(by_kind[0], by_kind[2])
    twice = train_sft(tiny, [generation, preference], SETTINGS)
    assert same_weights(by_kind[0], twice)
    assert any("1 of 2 texts" in line for line in twice.choices)


def test_nothing_to_write_is_refused(tiny: LanguageModel) -> None:
    for rows in ([], [Completion((5, 6), ())]):
        with pytest.raises(DataError, match="no texts"):
            train_sft(tiny, rows)
