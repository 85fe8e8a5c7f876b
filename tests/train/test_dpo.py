import copy
import gc
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.models.llama.modeling_llama import LlamaMLP
from trl.trainer.dpo_trainer import DPOTrainer

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference, Point, TokenPreferences
from planish.records.prompt import opening, writing_prompt
from planish.train.adapter import AdapterSettings, load_adapter
from planish.train.dpo import DpoSettings, train_dpo
from planish.train.sft import SftSettings, train_sft
from planish.train.token_pairs import TokenPair, text_pair
from planish.train.training import FiniteTrainer, Tuned

PROMPTS = [opening("Why "), opening("The dog ")]
PAIRS = [CompletionPreference.between(prompt, "zzz", "eeee", (1, 0)) for prompt in PROMPTS for _ in range(3)]
SETTINGS = DpoSettings(batch_size=4, learning_rate=1e-3, adapter=AdapterSettings(rank=4))
IDS = torch.arange(3, 60)[None]

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


def weights(tuned: Tuned) -> dict[str, Tensor]:
    return {name: weight for name, weight in tuned.adapted.adapter.named_parameters() if "lora" in name}


def same(first: Tuned, second: Tuned, tolerance: float = 0.0) -> bool:
    pairs = zip(weights(first).values(), weights(second).values(), strict=True)
    return all(one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=tolerance) for one, other in pairs)


def same_curve(first: Tuned, second: Tuned) -> bool:
    curves = [[value for step in tuned.steps for value in step.model_dump().values()] for tuned in (first, second)]
    return curves[0] == pytest.approx(curves[1], abs=1e-6)


@pytest.fixture(scope="module", autouse=True)
def _libraries_are_no_garbage() -> Iterator[None]:
    """A trainer collects garbage at its end, and looking through all libraries takes longer than training here."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def plain(tiny: LanguageModel) -> Tuned:
    return train_dpo(tiny, PAIRS, SETTINGS)


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
    expected = []
    loss_of: Any = DPOTrainer.compute_loss

    def watched(trainer: DPOTrainer, model: PeftModel, *given: Any, **more: Any) -> Tensor:
        expected.append(plain_loss(model, pairs, settings))
        loss: Tensor = loss_of(trainer, model, *given, **more)
        return loss

    monkeypatch.setattr(DPOTrainer, "compute_loss", watched)
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
    assert same(by_points, by_pairs)
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
    loss_of: Any = DPOTrainer.compute_loss

    def watched(trainer: DPOTrainer, model: PeftModel, inputs: dict[str, Tensor], *given: Any, **more: Any) -> Tensor:
        for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True):
            read.append(ids[mask.bool()].tolist())
        loss: Tensor = loss_of(trainer, model, inputs, *given, **more)
        return loss

    monkeypatch.setattr(DPOTrainer, "compute_loss", watched)
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
    assert same(train_dpo(tiny, [preference], SETTINGS), train_dpo(tiny, [cut], SETTINGS))


@pytest.mark.parametrize(
    "other",
    [
        {"beta": 0.5},
        {"likelihood": 1.0},
        {"length_normalised": True},
        {"learning_rate": 5e-4},
        {"learning_rate": None},
        {"epochs": 3},
        {"warmup": 0.6},
        {"gradient_norm": 0.1},
        {"precision": "bfloat16"},
        {"batch_size": 2},
        {"adapter": AdapterSettings(rank=8)},
        {"adapter": AdapterSettings(rank=4, alpha=8)},
        {"adapter": AdapterSettings(rank=4, dropout=0.5)},
        {"adapter": AdapterSettings(rank=4, targets=("q_proj",))},
        {"adapter": AdapterSettings(rank=4, last_layers=1)},
    ],
    ids=str,
)
def test_every_setting_changes_the_trained_weights(other: dict[str, Any], plain: Tuned, tiny: LanguageModel) -> None:
    changed = train_dpo(tiny, PAIRS, SETTINGS.model_copy(update=other))
    assert weights(changed).keys() != weights(plain).keys() or not same(changed, plain)


def test_the_settings_of_which_that_is_not_said_are_two() -> None:
    """Which do what they do is seen in the two tests after this one."""
    assert set(DpoSettings.model_fields) == {
        *("beta", "likelihood", "length_normalised", "learning_rate", "epochs", "warmup", "gradient_norm"),
        *("precision", "batch_size", "adapter"),
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
    train_dpo(tiny, PAIRS, SETTINGS)
    without = sum(calls)
    calls.clear()
    again = train_dpo(tiny, PAIRS, SETTINGS.model_copy(update={"checkpoint_activations": True}))
    assert sum(calls) == 2 * without
    assert same(again, plain, tolerance=1e-6)


def test_it_saves_as_often_as_it_is_told(plain: Tuned, tiny: LanguageModel, tmp_path: Path) -> None:
    for name, minutes, saved in (("often", 1e-9, ["checkpoint-4"]), ("never", 60.0, [])):
        tuned = train_dpo(tiny, PAIRS, SETTINGS.model_copy(update={"save_every_min": minutes}), folder=tmp_path / name)
        assert [path.name for path in (tmp_path / name).glob("*")] == saved
        assert same(tuned, plain)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(plain: Tuned, tiny: LanguageModel) -> None:
    again, other = train_dpo(tiny, PAIRS, SETTINGS), train_dpo(tiny, PAIRS, SETTINGS, seed=1)
    assert same(again, plain)
    assert again.steps == plain.steps
    assert not same(other, plain)


def test_killed_and_begun_again_it_ends_as_if_nothing_had_been(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = AdapterSettings(rank=4, dropout=0.2)
    settings = SETTINGS.model_copy(update={"epochs": 3, "adapter": dropped, "save_every_min": 1e-9})
    whole = train_dpo(tiny, PAIRS, settings)
    steps: list[int] = []
    step_of = FiniteTrainer.training_step

    def killed(trainer: FiniteTrainer, *given: Any, **more: Any) -> Tensor:
        steps.append(trainer.state.global_step)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return step_of(trainer, *given, **more)

    monkeypatch.setattr(FiniteTrainer, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train_dpo(tiny, PAIRS, settings, folder=tmp_path)
    resumed = train_dpo(tiny, PAIRS, settings, folder=tmp_path)
    assert steps == [0, 1, 2, 3, 3, 4, 5]
    assert same(resumed, whole, tolerance=1e-6)
    assert same_curve(resumed, whole)


def test_a_loss_that_is_no_number_ends_training_with_the_weights_before_it(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 4})
    before: list[dict[str, Tensor]] = []
    loss_of: Any = DPOTrainer.compute_loss

    def failing(trainer: DPOTrainer, model: PeftModel, *given: Any, **more: Any) -> Tensor:
        before.append({name: weight.detach().clone() for name, weight in model.named_parameters() if "lora" in name})
        loss: Tensor = loss_of(trainer, model, *given, **more)
        return loss * (torch.nan if len(before) == 3 else 1)

    monkeypatch.setattr(DPOTrainer, "compute_loss", failing)
    broken = train_dpo(tiny, PAIRS, settings)
    assert len(before) == 3
    assert "step 3" in broken.ended
    assert len(broken.steps) == 2
    for name, weight in weights(broken).items():
        assert torch.equal(weight, before[-1][name])
        assert weight.isfinite().all()


@pytest.mark.parametrize("other", [{}, {"precision": "bfloat16"}, {"checkpoint_activations": True}], ids=str)
def test_the_trainer_leaves_nothing_in_the_model_but_weights(
    other: dict[str, Any], tiny: LanguageModel, tmp_path: Path
) -> None:
    given = LanguageModel(copy.deepcopy(tiny.model), copy.deepcopy(tiny.tokenizer), "ends otherwise")
    # What the tokenizer says of ends and padding is not what the model's configuration says.
    given.model.generation_config.eos_token_id = [5, 6]
    given.tokenizer.pad_token = None
    tuned = train_dpo(given, PAIRS, SETTINGS.model_copy(update=other)).adapted
    tuned.save(tmp_path)
    loaded = load_adapter(given, tmp_path)
    with torch.no_grad():
        for ours, fresh in ((tuned.model.model, loaded.model.model), (tuned.adapter, loaded.adapter)):
            assert torch.equal(ours(input_ids=IDS).logits, fresh(input_ids=IDS).logits)
            assert vars(ours).keys() == vars(fresh).keys()
    embedded = tuned.model.model.get_input_embeddings()(IDS)
    assert embedded.requires_grad == loaded.model.model.get_input_embeddings()(IDS).requires_grad
    assert not tuned.model.model.is_activation_checkpointing
    assert not any(module.training for module in tuned.adapter.modules())
    assert list(tuned.adapter.peft_config) == ["default"]
    assert tuned.model.end_ids == {5, 6}
    assert tuned.model.tokenizer.pad_token is None
    assert tuned.model.model.config.to_dict() == given.model.config.to_dict()


def test_a_models_own_dropout_does_not_part_it_from_its_reference(tiny: LanguageModel) -> None:
    config = GPT2Config(
        vocab_size=len(tiny.tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2,
        resid_pdrop=0.5, embd_pdrop=0.5, attn_pdrop=0.5,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LanguageModel(GPT2LMHeadModel(config), tiny.tokenizer, "dropping")
    tuned = train_dpo(model, PAIRS, SETTINGS)
    assert tuned.steps[0].loss == pytest.approx(math.log(2), abs=1e-6)
    shares = [layer.p for layer in tuned.adapted.model.model.modules() if isinstance(layer, torch.nn.Dropout)]
    assert shares
    assert set(shares) == {0.5}


def test_what_was_chosen_automatically_is_said(plain: Tuned, tiny: LanguageModel) -> None:
    targets = AdapterSettings(rank=4, targets=("q_proj", "lm_head"))
    tuned = train_dpo(tiny, PAIRS, DpoSettings(adapter=targets, epochs=1, batch_size=1))
    highest = max(step.learning_rate for step in tuned.steps)
    assert any(line.startswith(f"learning rate {highest:.2g}: ") for line in tuned.choices)
    assert any("lm_head" in line and "TRL" in line for line in tuned.choices)
    assert all("q_proj" in name for name in weights(tuned))
    assert not any(word in line for line in plain.choices for word in ("lm_head", "learning rate"))
    assert any("float32" in line for line in plain.choices)


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
