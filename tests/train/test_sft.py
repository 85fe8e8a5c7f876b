import copy
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaMLP
from trl.trainer.sft_trainer import SFTTrainer

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference
from planish.records.prompt import opening
from planish.train.adapter import AdapterSettings, load_adapter
from planish.train.sft import Completion, SftSettings, text_completion, train_sft
from planish.train.training import FiniteTrainer, Tuned

END = 2
ROWS = [Completion((1, 50, 60 + number), (70, 80, 90 + number, END)[: 4 - number % 2]) for number in range(6)]
SETTINGS = SftSettings(batch_size=4, epochs=2, learning_rate=1e-3, adapter=AdapterSettings(rank=4))
IDS = torch.arange(3, 60)[None]


def log_probability(model: Any, completion: Completion) -> Tensor:
    """Of what is to be written, token by token."""
    log_probs = model(input_ids=torch.tensor([[*completion.context, *completion.ids]])).logits[0].log_softmax(-1)
    before = len(completion.context) - 1
    return torch.stack([log_probs[before + index, token] for index, token in enumerate(completion.ids)]).sum()


@torch.no_grad()
def plain_loss(model: Any, rows: Sequence[Completion]) -> float:
    """The mean over all tokens that are to be written."""
    return -sum(float(log_probability(model, row)) for row in rows) / sum(len(row.ids) for row in rows)


def weights(tuned: Tuned) -> dict[str, Tensor]:
    return {name: weight for name, weight in tuned.adapted.adapter.named_parameters() if "lora" in name}


def same(first: Tuned, second: Tuned, tolerance: float = 0.0) -> bool:
    pairs = zip(weights(first).values(), weights(second).values(), strict=True)
    return all(one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=tolerance) for one, other in pairs)


@pytest.fixture(scope="module", autouse=True)
def _libraries_are_no_garbage() -> Iterator[None]:
    """A trainer collects garbage at its end, and looking through all libraries takes longer than training here."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def plain(tiny: LanguageModel) -> Tuned:
    return train_sft(tiny, ROWS, SETTINGS)


def test_the_loss_is_the_mean_over_what_is_to_be_written(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = []
    loss_of: Any = SFTTrainer.compute_loss

    def watched(trainer: SFTTrainer, model: PeftModel, *given: Any, **more: Any) -> Tensor:
        expected.append(plain_loss(model, ROWS))
        loss: Tensor = loss_of(trainer, model, *given, **more)
        return loss

    monkeypatch.setattr(SFTTrainer, "compute_loss", watched)
    tuned = train_sft(tiny, ROWS, SETTINGS.model_copy(update={"batch_size": len(ROWS), "epochs": 5}))
    curve = [step.loss for step in tuned.steps]
    assert curve == pytest.approx(expected, abs=1e-4)
    assert curve[0] == pytest.approx(plain_loss(tiny.model, ROWS), abs=1e-4)
    assert curve[-1] < curve[0] - 0.01


def test_what_is_written_becomes_likelier_and_the_prompt_does_not_matter(tiny: LanguageModel) -> None:
    before = copy.deepcopy(tiny.model.state_dict())
    tuned = train_sft(tiny, ROWS, SETTINGS.model_copy(update={"epochs": 20})).adapted
    merged = tuned.merged().model
    with torch.no_grad():
        assert all(log_probability(merged, row) > log_probability(tiny.model, row) + 2 for row in ROWS)
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
    assert same(by_kind[0], by_kind[1])
    assert same(by_kind[0], by_kind[2])
    twice = train_sft(tiny, [generation, preference], SETTINGS)
    assert same(by_kind[0], twice)
    assert any("1 of 2 texts" in line for line in twice.choices)


def test_nothing_to_write_is_refused(tiny: LanguageModel) -> None:
    for rows in ([], [Completion((5, 6), ())]):
        with pytest.raises(DataError, match="no texts"):
            train_sft(tiny, rows)


@pytest.mark.parametrize(
    "other",
    [
        {"learning_rate": 5e-4},
        {"epochs": 3},
        {"warmup": 0.6},
        {"gradient_norm": 0.1},
        {"precision": "bfloat16"},
        {"batch_size": 2},
        {"adapter": AdapterSettings(rank=4, dropout=0.5)},
    ],
    ids=str,
)
def test_every_setting_changes_the_trained_weights(other: dict[str, Any], plain: Tuned, tiny: LanguageModel) -> None:
    assert not same(train_sft(tiny, ROWS, SETTINGS.model_copy(update=other)), plain)


def test_the_settings_of_which_that_is_not_said_are_two() -> None:
    """Which do what they do is seen in the two tests after this one."""
    assert set(SftSettings.model_fields) == {
        *("learning_rate", "epochs", "warmup", "gradient_norm", "precision", "batch_size", "adapter"),
        *("checkpoint_activations", "save_every_min"),
    }


def test_activations_are_worked_out_again_for_the_same_weights(
    plain: Tuned, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    forward: Any = LlamaMLP.forward

    def counted(layer: LlamaMLP, *given: Any) -> Any:
        calls.append(torch.is_grad_enabled())
        return forward(layer, *given)

    monkeypatch.setattr(LlamaMLP, "forward", counted)
    train_sft(tiny, ROWS, SETTINGS)
    without = sum(calls)
    calls.clear()
    again = train_sft(tiny, ROWS, SETTINGS.model_copy(update={"checkpoint_activations": True}))
    assert sum(calls) == 2 * without
    assert same(again, plain, tolerance=1e-6)


def test_it_saves_as_often_as_it_is_told(plain: Tuned, tiny: LanguageModel, tmp_path: Path) -> None:
    for name, minutes, saved in (("often", 1e-9, ["checkpoint-4"]), ("never", 60.0, [])):
        tuned = train_sft(tiny, ROWS, SETTINGS.model_copy(update={"save_every_min": minutes}), folder=tmp_path / name)
        assert [path.name for path in (tmp_path / name).glob("*")] == saved
        assert same(tuned, plain)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(plain: Tuned, tiny: LanguageModel) -> None:
    assert same(train_sft(tiny, ROWS, SETTINGS), plain)
    assert not same(train_sft(tiny, ROWS, SETTINGS, seed=1), plain)


def test_killed_and_begun_again_it_ends_as_if_nothing_had_been(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = AdapterSettings(rank=4, dropout=0.2)
    settings = SETTINGS.model_copy(update={"epochs": 3, "adapter": dropped, "save_every_min": 1e-9})
    whole = train_sft(tiny, ROWS, settings)
    steps: list[int] = []
    step_of = FiniteTrainer.training_step

    def killed(trainer: FiniteTrainer, *given: Any, **more: Any) -> Tensor:
        steps.append(trainer.state.global_step)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return step_of(trainer, *given, **more)

    monkeypatch.setattr(FiniteTrainer, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train_sft(tiny, ROWS, settings, folder=tmp_path)
    resumed = train_sft(tiny, ROWS, settings, folder=tmp_path)
    assert steps == [0, 1, 2, 3, 3, 4, 5]
    assert same(resumed, whole, tolerance=1e-6)
    assert [step.loss for step in resumed.steps] == pytest.approx([step.loss for step in whole.steps], abs=1e-6)


def test_a_loss_that_is_no_number_ends_training_with_the_weights_before_it(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[dict[str, Tensor]] = []
    loss_of: Any = SFTTrainer.compute_loss

    def failing(trainer: SFTTrainer, model: PeftModel, *given: Any, **more: Any) -> Tensor:
        before.append({name: weight.detach().clone() for name, weight in model.named_parameters() if "lora" in name})
        loss: Tensor = loss_of(trainer, model, *given, **more)
        return loss * (torch.nan if len(before) == 3 else 1)

    monkeypatch.setattr(SFTTrainer, "compute_loss", failing)
    broken = train_sft(tiny, ROWS, SETTINGS)
    assert len(before) == 3
    assert "step 3" in broken.ended
    assert all(torch.equal(weight, before[-1][name]) for name, weight in weights(broken).items())


@pytest.mark.parametrize("other", [{}, {"precision": "bfloat16"}, {"checkpoint_activations": True}], ids=str)
def test_the_trainer_leaves_nothing_in_the_model_but_weights(
    other: dict[str, Any], tiny: LanguageModel, tmp_path: Path
) -> None:
    tuned = train_sft(tiny, ROWS, SETTINGS.model_copy(update=other)).adapted
    tuned.save(tmp_path)
    loaded = load_adapter(tiny, tmp_path)
    with torch.no_grad():
        for ours, fresh in ((tuned.model.model, loaded.model.model), (tuned.adapter, loaded.adapter)):
            assert torch.equal(ours(input_ids=IDS).logits, fresh(input_ids=IDS).logits)
            assert vars(ours).keys() == vars(fresh).keys()
    embeddings = [model.model.model.get_input_embeddings()(IDS) for model in (tuned, loaded)]
    assert embeddings[0].requires_grad == embeddings[1].requires_grad
    assert not tuned.model.model.is_activation_checkpointing
    assert tuned.model.model.config.to_dict() == tiny.model.config.to_dict()


def test_what_was_chosen_automatically_is_said(tiny: LanguageModel) -> None:
    targets = AdapterSettings(rank=4, targets=("q_proj", "lm_head"))
    tuned = train_sft(tiny, ROWS, SftSettings(epochs=1, batch_size=1, adapter=targets))
    highest = max(step.learning_rate for step in tuned.steps)
    assert any(line.startswith(f"learning rate {highest:.2g}: ") for line in tuned.choices)
    assert any("lm_head" in line and "TRL" in line for line in tuned.choices)
    assert all("q_proj" in name for name in weights(tuned))
