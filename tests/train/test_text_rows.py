"""Which texts are learned from together, and which are read together: the second changes nothing of what is learned."""

import copy
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from hypothesis import given
from hypothesis import strategies as st
from text_tuners import DPO_SETTINGS, PROMPTS, SFT_SETTINGS, TUNERS, TextTuner, look_before_each_loss
from transformers import LlamaConfig, MixtralConfig
from transformers.models.llama.modeling_llama import LlamaAttention
from trl.trainer.dpo_config import DPOConfig
from tuned_weights import same_weights, weights

from planish.errors import DataError, ModelError
from planish.models.language_model import LanguageModel
from planish.records.prompt import writing_prompt
from planish.train import dpo, trl_loan
from planish.train.dpo import train_dpo
from planish.train.passes import PathSize
from planish.train.sft import Completion, train_sft
from planish.train.text_rows import row_passes
from planish.train.token_pairs import TokenPair, completion_ids
from planish.train.training import Tuned
from tiny_models import SIZES, random_model

ALL_AT_ONCE = 100_000
EPOCHS = 3
REFUSING = (
    "{% for turn in messages %}"
    "{% if turn.role == 'assistant' %}{{ raise_exception('no answers') }}{% endif %}"
    "{% endfor %}"
)

_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)


def ids(length: int, seed: int) -> tuple[int, ...]:
    return tuple(torch.randint(3, 250, (length,), generator=torch.Generator().manual_seed(seed)).tolist())


def pair(number: int) -> TokenPair:
    chosen, rejected = ids(1 + 5 * number % 7, 100 + number), ids(1 + 3 * number % 5, 200 + number)
    return TokenPair(ids(2 + number % 4, number), chosen, rejected)


PAIRS = [pair(number) for number in range(11)]
TEXTS = [Completion(each.context, each.chosen) for each in PAIRS]
TRAININGS: dict[str, tuple[TextTuner, Sequence[Any], dict[str, Any]]] = {
    "the preference alone": (TUNERS["dpo"], PAIRS, {}),
    "with the likelihood": (TUNERS["dpo"], PAIRS, {"likelihood": 1.0}),
    "by the mean token": (TUNERS["dpo"], PAIRS, {"likelihood": 0.3, "length_normalised": True, "beta": 3.0}),
    "texts": (TUNERS["sft"], TEXTS, {}),
}


def figures(tuned: Tuned) -> list[float]:
    return [value for step in tuned.steps for value in step.model_dump().values()]


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 20), st.integers(1, 900), st.integers(1, 3)
)
def test_every_row_is_read_once_an_epoch_in_as_few_steps_as_there_can_be(
    tokens: list[int], step_rows: int, pass_tokens: int, processes: int
) -> None:
    sizes = [PathSize(each, 1) for each in tokens]
    passes = row_passes(sizes, step_rows, pass_tokens, EPOCHS, processes, seed=0)
    assert passes.steps == math.ceil(len(tokens) / step_rows)
    for epoch in range(EPOCHS):
        passes.epoch = epoch
        read, each = list(passes), passes.passes_a_step
        assert Counter(at for one in read for at in one) == Counter(range(len(tokens)))
        steps = [sum(map(len, read[start : start + each])) for start in range(0, len(read), each)]
        assert len(steps) == passes.steps
        assert max(steps) <= step_rows
        assert max(steps) - min(steps) <= 2
        for one in filter(None, read):
            assert len(one) == 1 or len(one) * max(tokens[at] for at in one) <= pass_tokens


@pytest.mark.parametrize("name", TRAININGS)
def test_what_is_learned_is_the_same_whatever_is_read_at_once(
    name: str, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuner, rows, other = TRAININGS[name]
    settings = tuner.settings.model_copy(update={"epochs": 2, **other})
    read: list[int] = []
    texts_a_row = 2 if tuner.train is train_dpo else 1
    look_before_each_loss(
        tuner.trainer, lambda _, inputs: read.append(len(inputs["input_ids"]) // texts_a_row), monkeypatch
    )
    two_rows = 2 * 12 * texts_a_row
    found = []
    for pass_tokens, most in ((1, 1), (two_rows, 2), (ALL_AT_ONCE, 4)):
        read.clear()
        tuned = tuner.train(tiny, rows, settings.model_copy(update={"pass_tokens": pass_tokens}))
        assert len(tuned.steps) == 2 * 3
        assert max(read) == most
        found.append(figures(tuned))
    assert found[0] == pytest.approx(found[2], abs=1e-5)
    assert found[1] == pytest.approx(found[2], abs=1e-5)
    assert len(set(found[0])) > 6


def test_pairs_of_one_group_are_learned_from_in_one_step(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    grouped = [each._replace(group=f"group {number % 5}") for number, each in enumerate(PAIRS[:10])]
    read: list[set[tuple[int, ...]]] = []

    def look(_: object, inputs: dict[str, Any]) -> None:
        texts = zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        read.append({tuple(ids[mask.bool()].tolist()) for ids, mask in texts})

    look_before_each_loss(TUNERS["dpo"].trainer, look, monkeypatch)
    settings = DPO_SETTINGS.model_copy(update={"batch_size": 4, "epochs": 2})
    tuned = train_dpo(tiny, grouped, settings)
    assert len(tuned.steps) == len(read) == 2 * 3
    for number in range(5):
        texts = {each.context + each.chosen for each in grouped if each.group == f"group {number}"}
        assert len(texts) == 2
        assert sum(texts <= step for step in read) == 2
        assert sum(bool(texts & step) for step in read) == 2


@pytest.mark.parametrize("tuner", TUNERS.values(), ids=TUNERS)
def test_where_memory_runs_out_the_hint_leaves_what_is_learned_alone(
    tuner: TextTuner, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(tuner.trainer, "compute_loss", full)
    with pytest.raises(ModelError, match="memory ran out") as error:
        tuner.train(tiny, tuner.rows, tuner.settings)
    assert ".pass_tokens=" in error.value.hint
    assert "batch_size" not in error.value.hint


@pytest.mark.parametrize("name", ["dpo", "sft"])
def test_rows_that_the_model_cannot_read_or_that_say_nothing_are_left_out_and_counted(
    name: str, tiny: LanguageModel
) -> None:
    too_long = ids(tiny.context, 1)
    if name == "dpo":
        bad: list[Any] = [
            TokenPair(ids(3, 2), too_long, (5,)),
            TokenPair(ids(3, 2), (5,), too_long),
            TokenPair(ids(3, 2), (), (5,)),
            TokenPair(ids(3, 2), (5,), ()),
        ]
        settings: Any = DPO_SETTINGS.model_copy(update={"likelihood": 1.0, "batch_size": 1})
        alone, together = (train_dpo(tiny, rows, settings) for rows in (PAIRS[:3], [*bad, *PAIRS[:3]]))
    else:
        bad = [Completion(ids(3, 2), too_long), Completion(ids(3, 2), ())]
        settings = SFT_SETTINGS
        alone, together = (train_sft(tiny, rows, settings) for rows in (TEXTS[:3], [*bad, *TEXTS[:3]]))
    assert same_weights(alone, together)
    assert any(f"3 of {len(bad) + 3} " in line for line in together.choices)
    assert not any(" of 3 " in line for line in alone.choices)
    with pytest.raises(DataError, match=f"of {len(bad)} given"):
        TUNERS[name].train(tiny, bad, settings)


@pytest.mark.parametrize("token", [-1, 10**6])
def test_tokens_of_another_model_are_refused_in_one_line(token: int, tiny: LanguageModel) -> None:
    with pytest.raises(DataError, match=f"the token {token}, "):
        train_dpo(tiny, [*PAIRS, TokenPair((5,), (token,), (6,))])
    with pytest.raises(DataError, match=f"the token {token}, "):
        train_sft(tiny, [*TEXTS, Completion((5,), (token,))])


def test_how_evenly_experts_are_used_is_no_part_of_the_loss() -> None:
    experts = random_model(MixtralConfig(**SIZES, num_local_experts=4, output_router_logits=True), "experts")
    assert train_dpo(experts, PAIRS, DPO_SETTINGS).steps[0].loss == pytest.approx(math.log(2), abs=1e-6)
    curves = [
        figures(train_sft(experts, TEXTS, SFT_SETTINGS.model_copy(update={"pass_tokens": pass_tokens})))
        for pass_tokens in (1, ALL_AT_ONCE)
    ]
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)


def test_what_attention_drops_does_not_part_a_model_from_its_reference() -> None:
    model = random_model(LlamaConfig(**SIZES, attention_dropout=0.5), "dropping")
    tuned = train_dpo(model, PAIRS, DPO_SETTINGS)
    assert tuned.steps[0].loss == pytest.approx(math.log(2), abs=1e-6)
    layers = [layer for layer in tuned.adapted.model.model.modules() if isinstance(layer, LlamaAttention)]
    assert {layer.attention_dropout for layer in layers} == {0.5}


def test_a_process_that_sees_several_cards_trains_on_one(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    class SeesTwo(DPOConfig):
        def __post_init__(self) -> None:
            super().__post_init__()  # type: ignore[no-untyped-call]
            self._n_gpu = 2

    plain = train_dpo(tiny, PAIRS, DPO_SETTINGS)
    monkeypatch.setattr(dpo, "DPOConfig", SeesTwo)
    assert same_weights(train_dpo(tiny, PAIRS, DPO_SETTINGS), plain)


def test_nothing_that_trl_reports_is_gathered_from_other_processes(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gathers row by row, and waits for ever where one process has fewer rows than another."""
    gathered: list[object] = []

    def noted(_: object, figures: object) -> object:
        gathered.append(figures)
        return figures

    for name in ("gather", "gather_for_metrics"):
        monkeypatch.setattr(f"accelerate.Accelerator.{name}", noted)
    own = trl_loan.LentTrainer.compute_loss

    def watched(trainer: Any, *args: Any, **more: Any) -> Any:
        gathered.clear()
        loss = own(trainer, *args, **more)
        assert not gathered
        return loss

    monkeypatch.setattr(trl_loan.LentTrainer, "compute_loss", watched)
    assert weights(train_dpo(tiny, PAIRS, DPO_SETTINGS))
    assert weights(train_sft(tiny, TEXTS, SFT_SETTINGS))


def test_a_template_that_knows_no_answer_is_one_line(tiny: LanguageModel) -> None:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.chat_template = REFUSING
    chat = LanguageModel(tiny.model, tokenizer, "chat")
    with pytest.raises(ModelError, match="no answers"):
        completion_ids(chat, writing_prompt("Why?"), "yes", ended=True)
    assert completion_ids(chat, PROMPTS[0], "yes", ended=True)[-1] == 2
