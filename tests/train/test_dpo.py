import pytest
import torch

from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference
from planish.records.prompt import opening
from planish.train.dpo import train_dpo

PROMPTS = [opening("Why "), opening("The dog ")]
PAIRS = [CompletionPreference.between(prompt, "zzz", "eee", (1, 0)) for prompt in PROMPTS for _ in range(8)]


def log_probability(model: LanguageModel, prompt: str, text: str) -> float:
    """Of a text after a prompt, by the plain model."""
    front, back = (model.tokenizer(part)["input_ids"] for part in (prompt, text))
    with torch.no_grad():
        log_probs = model.model(input_ids=torch.tensor([front + back])).logits[0].log_softmax(-1)
    return sum(float(log_probs[len(front) + index - 1, token]) for index, token in enumerate(back))


def preferences(model: LanguageModel) -> list[float]:
    """How much likelier each pair's chosen text is than its rejected one."""
    return [
        log_probability(model, str(pair.prompt), str(pair.chosen))
        - log_probability(model, str(pair.prompt), str(pair.rejected))
        for pair in PAIRS
    ]


def test_chosen_texts_become_likelier_than_rejected_ones(tiny: LanguageModel) -> None:
    before = preferences(tiny)
    tuned = train_dpo(tiny, PAIRS, epochs=20).merged()
    assert all(now > max(was, 0) for now, was in zip(preferences(tuned), before, strict=True))
    assert preferences(tiny) == before
    assert set(tuned.model.state_dict()) == set(tiny.model.state_dict())


@pytest.mark.parametrize("other", [{"beta": 0.5}, {"likelihood": 1.0}, {"rank": 4}, {"learning_rate": 1e-3}])
def test_every_setting_changes_the_trained_weights(other: dict[str, float], tiny: LanguageModel) -> None:
    name = "model.layers.1.mlp.down_proj.weight"
    settings = {"epochs": 4, "learning_rate": 3e-4, "rank": 8}
    plain, changed = (train_dpo(tiny, PAIRS, **given).merged() for given in (settings, settings | other))  # type: ignore[arg-type]
    assert not torch.equal(plain.model.get_parameter(name), changed.model.get_parameter(name))


def test_the_likelihood_term_keeps_the_chosen_texts_likely(tiny: LanguageModel) -> None:
    plain, kept = (train_dpo(tiny, PAIRS, epochs=10, likelihood=weight).merged() for weight in (0.0, 1.0))
    for prompt in PROMPTS:
        likely = [log_probability(model, prompt.content, "zzz") for model in (kept, plain)]
        assert likely[0] > likely[1]
