from collections.abc import Sequence
from typing import Any

import pytest
import torch
from custom_steers import Adjust
from peft import LoraConfig, get_peft_model
from pydantic import TypeAdapter
from torch import Tensor

from planish.errors import UsageError
from planish.models.adapter_off import AdapterOff
from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.records.prompt import Message, Prompt, opening, writing_prompt
from planish.steer.combine import log_ratio, nucleus, probability_difference, relative_plausible
from planish.steer.contrast import (
    Amplified,
    Combination,
    Contrast,
    Interpolated,
    LogRatio,
    ProbabilityDifference,
    ProxyTuned,
    behind,
    contrasted,
)
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.steer import MODEL

PROMPTS = [opening("Hello"), opening("A rather long beginning")]
SHORT = Sampling(max_tokens=20)
# --- through the engine


def test_writing_apart_from_itself_is_plain_writing(tiny: LanguageModel) -> None:
    plain = Engine(tiny, sampling=SHORT).generate(PROMPTS, samples=4)
    texts = Engine(tiny, [Contrast(tiny, LogRatio(strength=1.0))], SHORT).generate(PROMPTS, samples=4)
    assert [text.token_ids for text in texts] == [text.token_ids for text in plain]


def test_writing_apart_from_another_model_sees_both_models_logits(tiny: LanguageModel) -> None:
    # Greedy decoding step by step with two plain models is the slow reference.
    other, strength, plausible = tiny_llama(seed=1), 0.7, 0.1
    steer = Contrast(other, LogRatio(strength=strength, plausible=plausible))
    (text,) = Engine(tiny, [steer], Sampling(max_tokens=15, temperature=0)).generate([PROMPTS[0]])
    ids = tiny.encode(PROMPTS[0])
    with torch.no_grad():
        for token in text.token_ids:
            own, others = (model.model(torch.tensor([ids])).logits[:, -1] for model in (tiny, other))
            assert token == int(contrasted(own, others, strength, plausible).argmax())
            ids.append(token)


def test_a_vanishing_strength_writes_what_the_plain_model_writes(tiny: LanguageModel) -> None:
    plain = Engine(tiny, sampling=SHORT).generate(PROMPTS, samples=4)
    texts = Engine(tiny, [Contrast(tiny_llama(seed=1), LogRatio(strength=1e-7))], SHORT).generate(PROMPTS, samples=4)
    assert [text.token_ids for text in texts] == [text.token_ids for text in plain]


def test_a_model_with_another_tokenizer_is_refused(tiny: LanguageModel) -> None:
    other = tiny_llama()
    add_tags(other, ["<|good|>"])
    with pytest.raises(UsageError):
        Engine(tiny, [Contrast(other)])


def test_a_model_with_the_same_tokenizer_and_a_padded_head_is_no_accident(tiny: LanguageModel) -> None:
    # As in families of models whose larger members round the number of logits up.
    padded = tiny_llama(seed=1)
    padded.model.resize_token_embeddings(tiny.vocabulary + 29, mean_resizing=False)
    try:
        engine = Engine(tiny, [Contrast(padded)], SHORT)
    except UsageError:
        return
    assert [text.status for text in engine.generate(PROMPTS)] == ["ok", "ok"]


def test_a_prompt_must_fit_the_context_of_both_models(tiny: LanguageModel) -> None:
    small = tiny_llama(seed=1)
    small.model.config.max_position_embeddings = 12
    texts = Engine(tiny, [Contrast(small)], SHORT).generate(PROMPTS)
    assert [text.status for text in texts] == ["ok", "failed"]
    assert "12" in texts[1].error
    assert len(texts[0].token_ids) <= 12 - len(tiny.encode(PROMPTS[0]))


def test_later_steers_see_what_the_contrast_left(tiny: LanguageModel) -> None:
    seen: list[Tensor] = []

    def look(row: object, logits: Tensor) -> Tensor:
        seen.append(logits)
        return logits

    other = tiny_llama(seed=1)
    Engine(tiny, [Adjust("forbid", look), Contrast(other, LogRatio(strength=0.7))], Sampling(max_tokens=1)).generate(
        PROMPTS[:1]
    )
    ids = torch.tensor([tiny.encode(PROMPTS[0])])
    with torch.no_grad():
        wanted = contrasted(tiny.model(ids).logits[:, -1], other.model(ids).logits[:, -1], 0.7, 0.1)
    torch.testing.assert_close(seen[0].log_softmax(-1), wanted[0].log_softmax(-1), atol=1e-4, rtol=0)


# --- every mode and every option

GREEDY = Sampling(max_tokens=25, temperature=0)
MODES: list[Combination] = [LogRatio(), ProbabilityDifference(nucleus=0.9), Amplified(), Interpolated(), ProxyTuned()]


@pytest.fixture(scope="module")
def others() -> Sequence[LanguageModel]:
    return [tiny_llama(seed=1), tiny_llama(seed=2)]


def steer_of(mode: Combination, others: Sequence[LanguageModel]) -> Contrast:
    return Contrast(others[0], mode, plain=others[1] if mode.mode == "proxy_tuned" else None)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.mode)
def test_each_mode_writes_by_the_logits_of_all_its_models(
    tiny: LanguageModel, others: Sequence[LanguageModel], mode: Combination
) -> None:
    # Greedy decoding step by step with plain models is the slow reference.
    texts = Engine(tiny, [steer_of(mode, others)], GREEDY).generate(PROMPTS)
    assert [text.token_ids for text in texts] != [
        text.token_ids for text in Engine(tiny, sampling=GREEDY).generate(PROMPTS)
    ]
    with torch.no_grad():
        for prompt, text in zip(PROMPTS, texts, strict=True):
            ids = tiny.encode(prompt)
            for token in text.token_ids:
                names = zip((MODEL, "other", "plain"), (tiny, *others), strict=True)
                logits = {name: model.model(torch.tensor([ids])).logits[:, -1] for name, model in names}
                assert token == int(mode.combine(logits).argmax())
                ids.append(token)


OPTIONS: list[tuple[Combination, str, float]] = [
    (LogRatio(), "strength", 1.5),
    (LogRatio(), "plausible", 0.9),
    (LogRatio(plausible=1e-6), "nucleus", 0.1),
    (LogRatio(), "cut", True),
    (ProbabilityDifference(), "weight", 3.0),
    (ProbabilityDifference(), "other_weight", -0.2),
    (ProbabilityDifference(), "gate", 0.5),
    (ProbabilityDifference(), "nucleus", 0.3),
    (Amplified(), "strength", 2.0),
    (Interpolated(), "share", 0.9),
    (ProxyTuned(), "strength", 0.3),
]


@pytest.mark.parametrize(
    ("mode", "option", "value"), OPTIONS, ids=[f"{mode.mode}-{option}" for mode, option, _ in OPTIONS]
)
def test_every_option_has_an_effect(mode: Combination, option: str, value: float) -> None:
    draws = torch.Generator().manual_seed(0)
    logits = {name: 2 * torch.randn(4, 30, generator=draws) for name in (MODEL, "other", "plain")}
    changed = mode.model_copy(update={option: value})
    distance = (mode.combine(logits).softmax(-1) - changed.combine(logits).softmax(-1)).abs().sum(-1)
    assert (distance > 1e-3).all()


def test_every_option_is_in_that_list() -> None:
    listed = {(mode.mode, option) for mode, option, _ in OPTIONS}
    assert listed == {(mode.mode, option) for mode in MODES for option in type(mode).model_fields if option != "mode"}


def test_options_reach_the_formulas() -> None:
    logits, other = 2 * torch.randn(2, 4, 30, generator=torch.Generator().manual_seed(0))
    both = {MODEL: logits, "other": other}
    plausible = relative_plausible(logits, 0.2) & nucleus(logits, 0.5)
    assert torch.equal(
        LogRatio(strength=0.7, plausible=0.2, nucleus=0.5, cut=True).combine(both),
        log_ratio(logits, other, 0.7, plausible, cut=True),
    )
    assert torch.equal(
        ProbabilityDifference(weight=-1, other_weight=1.0, gate=2.0, nucleus=0.8).combine(both),
        probability_difference(logits, other, -1.0, 1.0, gate=2.0, kept=nucleus(logits, 0.8)),
    )


def test_a_mode_is_read_by_its_name_and_takes_no_option_of_another() -> None:
    settings: TypeAdapter[Combination] = TypeAdapter(Combination)
    assert settings.validate_python({"mode": "amplified", "strength": 2}) == Amplified(strength=2)
    with pytest.raises(ValueError, match="gate"):
        settings.validate_python({"mode": "amplified", "gate": 2})


def test_only_proxy_tuning_takes_a_third_model(tiny: LanguageModel) -> None:
    with pytest.raises(UsageError, match="proxy_tuned"):
        Contrast(tiny, ProxyTuned())
    with pytest.raises(UsageError, match="log_ratio"):
        Contrast(tiny, plain=tiny)


# --- two prompts


@pytest.mark.parametrize("same_weights", [True, False])
def test_the_other_model_may_see_another_prompt(tiny: LanguageModel, same_weights: bool) -> None:
    other = None if same_weights else tiny_llama(seed=1)
    steer = Contrast(other, LogRatio(strength=1.0), other_prompt=behind("A gloomy night. "))
    (text,) = Engine(tiny, [steer], GREEDY).generate(PROMPTS[:1])
    own, hidden = tiny.encode(PROMPTS[0]), tiny.encode(opening("A gloomy night. " + (PROMPTS[0].text or "")))
    assert text.prompt_token_ids == tuple(own)
    with torch.no_grad():
        for token in text.token_ids:
            logits = (tiny.model(torch.tensor([own])).logits, (other or tiny).model(torch.tensor([hidden])).logits)
            assert token == int(contrasted(logits[0][:, -1], logits[1][:, -1], 1.0, 0.1).argmax())
            own.append(token)
            hidden.append(token)


def test_a_model_on_one_prompt_is_not_set_apart_from_itself() -> None:
    with pytest.raises(UsageError):
        Contrast(None)


def test_behind_a_system_turn_the_users_words_stay() -> None:
    asked = writing_prompt("Go on.")
    system = Message(role="system", content="Be gloomy.")
    prepared = behind("Be gloomy.")(asked)
    assert prepared.messages == (system, *(asked.messages or ()))
    assert prepared.id == asked.id, "it is the same prompt, seen otherwise"
    other = Prompt(messages=(Message(role="system", content="Be nice."), *(asked.messages or ())))
    assert behind("Be gloomy.")(other).messages == prepared.messages


def test_an_adapter_on_and_off_are_two_models() -> None:
    tuned = tiny_llama()
    adapter = get_peft_model(tuned.model, LoraConfig(r=4, target_modules=["q_proj", "up_proj"]))
    draws = torch.Generator().manual_seed(0)
    for name, weight in adapter.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=draws)
    together = Engine(tuned, [Contrast(AdapterOff(tuned), Amplified(strength=1.0))], GREEDY).generate(PROMPTS)
    merged: Any = adapter.merge_and_unload()
    apart = LanguageModel(merged, tiny_llama().tokenizer, "apart")
    wanted = Engine(apart, [Contrast(tiny_llama(), Amplified(strength=1.0))], GREEDY).generate(PROMPTS)
    plain = Engine(apart, sampling=GREEDY).generate(PROMPTS)
    assert [text.token_ids for text in together] == [text.token_ids for text in wanted]
    assert [text.token_ids for text in together] != [text.token_ids for text in plain]
