from contextlib import suppress

import pytest
import torch

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.models.scoring import continuation_states
from planish.records.generation import Generation
from planish.train.value import fit_value

TELL_TALE = 20
PLAIN = range(10, 18)


def some_texts(name: str, number: int, seed: int) -> list[Generation]:
    """Three random tokens each; every other text has the tell-tale token among them."""
    draws = torch.Generator().manual_seed(seed)
    texts = []
    for sample in range(number):
        ids = torch.randint(PLAIN.start, PLAIN.stop, (3,), generator=draws).tolist()
        if sample % 2:
            ids[int(torch.randint(3, (), generator=draws))] = TELL_TALE
        texts.append(
            Generation(
                id=f"{name}-{sample}",
                prompt_id=name,
                sample=sample,
                seed=seed,
                text="",
                prompt_token_ids=(1, 5, 6),
                token_ids=tuple(ids),
                char_ends=(),
                finish="length",
            )
        )
    return texts


def labels(texts: list[Generation], share: float, seed: int) -> dict[str, bool]:
    """Labels that have nothing to do with the texts."""
    draws = torch.rand(len(texts), generator=torch.Generator().manual_seed(seed))
    return {text.id: bool(draw < share) for text, draw in zip(texts, draws, strict=True)}


def test_a_planted_token_is_found_out(tiny: LanguageModel) -> None:
    fitting, calibrating = some_texts("fit", 1000, 0), some_texts("calibrate", 1000, 1)
    bad = {text.id: TELL_TALE in text.token_ids for text in fitting + calibrating}
    value = fit_value(tiny, fitting, calibrating, bad)
    assert value.skill > 0.1
    assert value.base_rate == 0.5
    assert value.n == 1000
    hidden = torch.cat([states for _, states in continuation_states(tiny, calibrating)])
    with torch.no_grad():
        risk = value.head.risk(hidden)
    assert ((risk >= 0) & (risk <= 1)).all()
    assert float(risk[:, TELL_TALE].mean()) > float(risk[:, PLAIN].mean()) + 0.1
    torch.testing.assert_close(value.head(hidden), -risk)


def test_risks_mean_probabilities_on_the_texts_that_calibrate(tiny: LanguageModel) -> None:
    fitting, calibrating = some_texts("fit", 200, 0), some_texts("calibrate", 200, 1)
    bad = labels(fitting, 0.5, 2) | labels(calibrating, 0.1, 3)
    head = fit_value(tiny, fitting, calibrating, bad).head
    risks, ends = [], []
    for text, states in continuation_states(tiny, calibrating):
        with torch.no_grad():
            risks.append(head.risk(states).gather(1, torch.tensor(text.token_ids)[:, None]))
        ends.append(float(bad[text.id]))
    assert abs(float(torch.cat(risks).mean()) - sum(ends) / len(ends)) < 0.02


def test_useless_labels_give_no_skill(tiny: LanguageModel) -> None:
    fitting, calibrating = some_texts("fit", 200, 0), some_texts("calibrate", 200, 1)
    for seed in range(3):
        bad = labels(fitting, 0.5, seed) | labels(calibrating, 0.5, seed + 10)
        assert abs(fit_value(tiny, fitting, calibrating, bad).skill) < 0.05


def test_another_base_rate_on_the_calibration_texts_is_no_skill(tiny: LanguageModel) -> None:
    fitting, calibrating = some_texts("fit", 200, 0), some_texts("calibrate", 200, 1)
    bad = labels(fitting, 0.5, 0) | labels(calibrating, 0.1, 1)
    assert abs(fit_value(tiny, fitting, calibrating, bad).skill) < 0.05


def test_texts_that_all_end_alike_teach_nothing(tiny: LanguageModel) -> None:
    fitting, calibrating = some_texts("fit", 20, 0), some_texts("calibrate", 20, 1)
    names = [text.id for text in fitting + calibrating]
    for end in (True, False):
        with suppress(DataError):
            assert abs(fit_value(tiny, fitting, calibrating, dict.fromkeys(names, end)).skill) < 0.05


def test_texts_without_a_known_end_are_left_out_and_not_counted(tiny: LanguageModel) -> None:
    fitting, calibrating = some_texts("fit", 40, 0), some_texts("calibrate", 40, 1)
    bad = {text.id: TELL_TALE in text.token_ids for text in fitting[:30] + calibrating[:30]}
    some, known = (fit_value(tiny, *sides, bad) for sides in ((fitting, calibrating), (fitting[:30], calibrating[:30])))
    assert some.n == 30
    assert some.skill == known.skill


@pytest.mark.parametrize("known", [[], ["fit"], ["calibrate"]])
def test_no_text_with_a_known_end_is_an_error_with_a_hint(known: list[str], tiny: LanguageModel) -> None:
    fitting, calibrating = some_texts("fit", 8, 0), some_texts("calibrate", 8, 1)
    bad = {text.id: text.sample % 2 == 0 for text in fitting + calibrating if text.prompt_id in known}
    with pytest.raises(DataError) as caught:
        fit_value(tiny, fitting, calibrating, bad)
    assert caught.value.hint


def test_the_model_itself_is_left_as_it_is(tiny: LanguageModel) -> None:
    before = {name: weight.clone() for name, weight in tiny.model.state_dict().items()}
    texts = some_texts("fit", 20, 0)
    fit_value(tiny, texts, texts, labels(texts, 0.5, 0))
    assert all(torch.equal(weight, before[name]) for name, weight in tiny.model.state_dict().items())
