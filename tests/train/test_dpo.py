import copy
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from peft import PeftModel
from text_tuners import DPO_SETTINGS as SETTINGS
from text_tuners import PAIRS, PROMPTS, look_before_each_loss
from torch import Tensor
from torch.nn.functional import logsigmoid
from trl.trainer.dpo_trainer import DPOTrainer
from tuned_weights import same_weights

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference, Point, TokenPreferences
from planish.records.prompt import opening, writing_prompt
from planish.train.dpo import DpoSettings, train_dpo
from planish.train.sft import SftSettings, train_sft
from planish.train.token_pairs import TokenPair, text_pair
from tiny_models import gpt2, random_model

Logits = Any


def log_probability(model: Logits, context: Sequence[int], ids: Sequence[int]) -> Tensor:
    """Of some ids after a context, one after the other."""
    log_probs = model(input_ids=torch.tensor([[*context, *ids]])).logits[0].float().log_softmax(-1)
    return torch.stack([log_probs[len(context) + index - 1, token] for index, token in enumerate(ids)]).sum()


@torch.no_grad()
def margins(model: LanguageModel, pairs: Sequence[TokenPair]) -> list[float]:
    """How much likelier each chosen side is than its rejected one."""
    return [
        float(log_probability(model.model, pair.context, pair.chosen))
        - float(log_probability(model.model, pair.context, pair.rejected))
        for pair in pairs
    ]


@torch.no_grad()
def plain_loss(adapter: PeftModel, pairs: Sequence[TokenPair], settings: DpoSettings) -> float:
    """The loss as it is written in the papers, pair by pair and token by token."""

    def drift(pair: TokenPair, ids: tuple[int, ...]) -> float:
        policy = float(log_probability(adapter, pair.context, ids))
        with adapter.disable_adapter():
            return policy - float(log_probability(adapter, pair.context, ids))

    losses = []
    for pair in pairs:
        chosen, rejected = drift(pair, pair.chosen), drift(pair, pair.rejected)
        if settings.length_normalised:
            chosen, rejected = chosen / len(pair.chosen), rejected / len(pair.rejected)
        losses.append(-float(logsigmoid(torch.tensor(settings.beta * (chosen - rejected)))))
    likelihoods = [float(log_probability(adapter, pair.context, pair.chosen)) for pair in pairs]
    nll = -sum(likelihoods) / sum(len(pair.chosen) for pair in pairs)
    return sum(losses) / len(losses) + settings.likelihood * nll


_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)


@pytest.mark.parametrize(
    "preferences",
    [PAIRS, [TokenPair((5, 6), (7, 8, 2), (9,))], [TokenPair((5, 6), (7, 8), (9, 10)), *PAIRS]],
)
def test_at_step_0_the_policy_is_the_reference(preferences: Sequence[Any], tiny: LanguageModel) -> None:
    for settings in (SETTINGS, SETTINGS.model_copy(update={"length_normalised": True, "beta": 3.0})):
        assert train_dpo(tiny, preferences, settings).steps[0].loss == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize(
    "other",
    [{}, {"beta": 0.7}, {"likelihood": 0.3}, {"length_normalised": True}, {"length_normalised": True, "likelihood": 1}],
)
def test_the_loss_is_that_of_the_papers(
    other: dict[str, float], tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 5, "batch_size": len(PAIRS), **other})
    pairs = [text_pair(tiny, pair) for pair in PAIRS]
    expected: list[float] = []
    look_before_each_loss(DPOTrainer, lambda model, _: expected.append(plain_loss(model, pairs, settings)), monkeypatch)
    curve = [step.loss for step in train_dpo(tiny, PAIRS, settings).steps]
    assert curve == pytest.approx(expected, abs=1e-4)
    assert curve[-1] < curve[0] - 0.01


def test_training_raises_the_chosen_above_the_rejected(tiny: LanguageModel) -> None:
    pairs = [text_pair(tiny, pair) for pair in PAIRS]
    before, weights_before = margins(tiny, pairs), copy.deepcopy(tiny.model.state_dict())
    tuned = train_dpo(tiny, PAIRS, DpoSettings(epochs=20, learning_rate=1e-3))
    merged = tuned.adapted.merged()
    assert all(after > max(was, 0) for after, was in zip(margins(merged, pairs), before, strict=True))
    assert margins(merged, pairs) == pytest.approx(margins(tuned.adapted.model, pairs), abs=1e-2)
    assert tuned.ended == "all epochs done"
    assert set(merged.model.state_dict()) == set(weights_before)
    assert all(torch.equal(weight, weights_before[name]) for name, weight in tiny.model.state_dict().items())


def test_points_are_trained_where_they_stand(tiny: LanguageModel) -> None:
    ids = tuple(range(40, 60))
    points = [
        Point(position=at, rejected=100 + at, chosen=(20, 30), chosen_probs=(0.1, 0.2), rule="lily") for at in (4, 20)
    ]
    path = TokenPreferences(generation_id="a", token_ids=ids, prompt_length=3, points=tuple(points))
    pairs = [TokenPair(ids[:at], (30,), (100 + at,)) for at in (4, 20)]
    by_points, by_pairs = (train_dpo(tiny, rows, SETTINGS) for rows in ([path], pairs))
    assert same_weights(by_points, by_pairs)
    after = margins(train_dpo(tiny, [path], DpoSettings(epochs=20, learning_rate=1e-3)).adapted.merged(), pairs)
    assert all(now > was for now, was in zip(after, margins(tiny, pairs), strict=True))


def test_the_trainer_reads_what_the_model_reads_when_it_writes(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.chat_template = (
        "{% for turn in messages %}<unk>{{ turn.role }}:{{ turn.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<unk>assistant:{% endif %}"
    )
    chat = LanguageModel(tiny.model, tokenizer, "chat")
    prompts = [writing_prompt("Why?"), opening("Why "), opening("The dog ")]
    preferences = [CompletionPreference.between(prompt, "yes", "oh no", (1, 0)) for prompt in prompts]
    read: list[list[int]] = []

    def look(_: PeftModel, inputs: dict[str, Tensor]) -> None:
        for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True):
            read.append(ids[mask.bool()].tolist())

    look_before_each_loss(DPOTrainer, look, monkeypatch)
    train_dpo(chat, preferences, DpoSettings(epochs=1))
    expected = [
        [*chat.encode(prompt), *chat.tokenizer(text)["input_ids"]] for prompt in prompts for text in ("yes", "oh no")
    ]
    assert sorted(read) == sorted(expected)


def test_a_cut_text_is_not_taught_to_end_and_a_whole_one_is(tiny: LanguageModel) -> None:
    preference = CompletionPreference.between(PROMPTS[0], "zzz", "eeee", (1, 0))
    cut, whole = (text_pair(tiny, preference, ended) for ended in ((False, False), (True, True)))
    ending = TokenPair((*cut.context, *cut.chosen), (2,), (3,))
    settings = DpoSettings(epochs=20, learning_rate=1e-3, likelihood=1.0)
    by_cut, by_whole = (train_dpo(tiny, [pair], settings).adapted.merged() for pair in (cut, whole))
    ends = [
        float(log_probability(model.model, ending.context, (2,)).exp().detach()) for model in (tiny, by_cut, by_whole)
    ]
    assert ends[2] > 5 * max(ends[:2])
    assert same_weights(train_dpo(tiny, [preference], SETTINGS), train_dpo(tiny, [cut], SETTINGS))


def test_a_models_own_dropout_does_not_part_it_from_its_reference() -> None:
    model = random_model(gpt2(resid_pdrop=0.5, embd_pdrop=0.5, attn_pdrop=0.5), "dropping")
    tuned = train_dpo(model, PAIRS, SETTINGS)
    assert tuned.steps[0].loss == pytest.approx(math.log(2), abs=1e-6)
    shares = [layer.p for layer in tuned.adapted.model.model.modules() if isinstance(layer, torch.nn.Dropout)]
    assert shares
    assert set(shares) == {0.5}


def test_nobody_is_told_of_a_training(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    for name in ("CI", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("trl.trainer.base_trainer.send_telemetry", lambda **given: told.append(given))
    train_dpo(tiny, PAIRS, SETTINGS)
    train_sft(tiny, PAIRS, SftSettings(epochs=1))
    assert not told


def test_no_pairs_are_refused(tiny: LanguageModel) -> None:
    with pytest.raises(DataError, match="no pairs"):
        train_dpo(tiny, [])
