import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from planish.errors import DataError, ModelError, UsageError
from planish.models.adapter_off import AdapterOff, load_adapted
from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.models.value_head import ValueHead
from planish.records.prompt import Prompt
from planish.steer.contrast import (
    Amplified,
    Combination,
    Contrast,
    Interpolated,
    LogRatio,
    ProbabilityDifference,
    ProxyTuned,
)
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.steering import GOES_WITH, SteeringSettings, load_steers

GOOD, BAD = "<|good|>", "<|bad|>"


@pytest.fixture(scope="module")
def tagged() -> LanguageModel:
    model = tiny_llama()
    add_tags(model, [GOOD, BAD])
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, tagged: LanguageModel) -> dict[str, Any]:
    """A list, a value head and another model that all change what the model writes."""
    folder = tmp_path_factory.mktemp("steers")
    (folder / "list.txt").write_text("re: [a-m]\n", encoding="utf-8")
    head = ValueHead(tagged.width, tagged.vocabulary)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.nn.init.normal_(head.token.weight, std=0.2)
    head.save(folder / "head.safetensors")
    other = tiny_llama(seed=1)
    add_tags(other, [GOOD, BAD])
    other.save(folder / "other")
    third = tiny_llama(seed=2)
    add_tags(third, [GOOD, BAD])
    third.save(folder / "third")
    return {
        "ban": str(folder / "list.txt"),
        "cap": str(folder / "head.safetensors"),
        "contrast": str(folder / "other"),
        "contrast_plain": str(folder / "third"),
        "tag": GOOD,
    }


def written(model: LanguageModel, **settings: Any) -> list[str]:
    steers = load_steers(SteeringSettings.from_user(settings), model)
    texts = Engine(model, steers, Sampling(max_tokens=30)).generate([Prompt(text="Once")], samples=4)
    assert all(text.status == "ok" for text in texts)
    return [text.text for text in texts]


EFFECTS: list[tuple[str, object, dict[str, Any]]] = [
    ("ban", None, {}),
    ("cap", None, {}),
    ("epsilon", 0.45, {"cap": None}),
    ("contrast", None, {}),
    ("contrast_mode", "amplified", {"contrast": None, "contrast_strength": 2.0}),
    ("contrast_strength", 2.0, {"contrast": None}),
    ("contrast_prompt", "A gloomy night. ", {"contrast": None, "contrast_strength": 2.0}),
    ("contrast_options", {"plausible": 1.0}, {"contrast": None, "contrast_strength": 2.0}),
    ("tag", None, {}),
    ("tag_opposite", BAD, {"tag": None}),
    ("tag_strength", 4.0, {"tag": None, "tag_opposite": BAD}),
]


@pytest.mark.parametrize(("key", "value", "others"), EFFECTS)
def test_every_setting_changes_what_is_written(
    tagged: LanguageModel, files: dict[str, Any], key: str, value: object, others: dict[str, Any]
) -> None:
    """None stands for the file, the folder or the tag of that name."""
    given = {name: files[name] if other is None else other for name, other in others.items()}
    assert written(tagged, **given) != written(tagged, **given, **{key: files[key] if value is None else value})


def test_the_third_model_changes_what_is_written(tagged: LanguageModel, files: dict[str, Any]) -> None:
    given = {"contrast": files["contrast"], "contrast_mode": "proxy_tuned", "contrast_strength": 3.0}
    by_third = written(tagged, **given, contrast_plain=files["contrast_plain"])
    assert by_third != written(tagged, **given, contrast_plain=tagged.name) != written(tagged)


def test_there_is_a_test_of_the_effect_of_every_setting() -> None:
    by_themselves = {"thinking", "contrast_plain"}
    assert {key for key, _, _ in EFFECTS} == SteeringSettings.model_fields.keys() - by_themselves


def test_what_is_banned_is_not_written(tagged: LanguageModel, files: dict[str, Any]) -> None:
    letters = set("abcdefghijklm")
    assert letters & set("".join(written(tagged)).lower())
    assert not letters & set("".join(written(tagged, ban=files["ban"])).lower())


def test_what_the_model_thinks_is_spared_where_asked(tagged: LanguageModel, files: dict[str, Any]) -> None:
    letters = set("abcdefghijklm")
    said = {}
    for thinking in (True, False):
        steers = load_steers(SteeringSettings(ban=files["ban"], thinking=thinking), tagged)
        texts = Engine(tagged, steers, Sampling(max_tokens=40)).generate([Prompt(text="<think>")], samples=4)
        said[thinking] = "".join(text.text for text in texts).lower()
    assert not letters & set(said[True])
    assert letters & set(said[False])


def test_a_strength_of_nothing_is_no_steer(tagged: LanguageModel, files: dict[str, Any]) -> None:
    assert written(tagged) == written(tagged, contrast=files["contrast"], contrast_strength=0)
    tag = {"tag": GOOD}
    assert written(tagged, **tag) == written(tagged, **tag, tag_opposite=BAD, tag_strength=1)
    settings = SteeringSettings(contrast=files["contrast"], contrast_strength=0)
    assert load_steers(settings, tagged) == load_steers(SteeringSettings(), tagged) == []


# --- every mode of the contrast


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, LogRatio()),
        ({"contrast_strength": 0.7, "contrast_options": {"cut": True}}, LogRatio(strength=0.7, cut=True)),
        (
            {"contrast_mode": "probability_difference", "contrast_options": {"gate": 2.0, "nucleus": 0.9}},
            ProbabilityDifference(gate=2.0, nucleus=0.9),
        ),
        ({"contrast_mode": "amplified", "contrast_strength": 0.7}, Amplified(strength=0.7)),
        ({"contrast_mode": "interpolated", "contrast_options": {"share": 0.3}}, Interpolated(share=0.3)),
        ({"contrast_mode": "proxy_tuned", "contrast_plain": None, "contrast_strength": 0.7}, ProxyTuned(strength=0.7)),
    ],
)
def test_every_mode_is_reached_by_its_name(
    tagged: LanguageModel, files: dict[str, Any], settings: dict[str, Any], wanted: Combination
) -> None:
    given = {key: files[key] if value is None else value for key, value in settings.items()}
    (steer,) = load_steers(SteeringSettings.from_user({"contrast": files["contrast"], **given}), tagged)
    assert isinstance(steer, Contrast)
    assert steer.combination == wanted


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"contrast_mode": "amplify"}, "amplified"),
        ({"contrast_mode": "interpolated", "contrast_strength": 0.5}, r"interpolated has no strength"),
        ({"contrast_mode": "amplified", "contrast_options": {"gate": 1.0}}, "gate"),
        ({"contrast_options": {"plausible": 7}}, "plausible"),
        ({"contrast_mode": "proxy_tuned"}, "needs a third model"),
        ({"contrast_plain": "tiny"}, "no use for a third model"),
    ],
)
def test_a_mode_that_cannot_be_is_refused_before_a_model_is_loaded(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        SteeringSettings.from_user({"contrast": "no such model", **settings}).check()


def test_the_other_one_may_be_the_model_itself_on_another_prompt(tagged: LanguageModel) -> None:
    settings = {"contrast": tagged.name, "contrast_strength": 3.0}
    (steer,) = load_steers(SteeringSettings.from_user({**settings, "contrast_prompt": "A gloomy night. "}), tagged)
    assert steer.needs.companions == {"other": None}
    assert written(tagged, **settings, contrast_prompt="A gloomy night. ") != written(tagged)
    with pytest.raises(UsageError, match="itself"):
        load_steers(SteeringSettings.from_user(settings), tagged)


# --- with an adapter


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    folder = tmp_path_factory.mktemp("adapter")
    adapter = get_peft_model(tiny_llama().model, LoraConfig(r=4, target_modules=["q_proj", "up_proj"]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, weight in adapter.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight)
    adapter.save_pretrained(str(folder))
    return load_adapted("tiny", folder)


def test_base_is_the_model_without_its_adapter(adapted: LanguageModel) -> None:
    given = {"contrast_mode": "interpolated", "contrast_options": {"share": 1.0}}
    # Wholly the other one: what is written is what the plain model writes.
    assert written(adapted, contrast="base", **given) == written(tiny_llama()) != written(adapted)
    (steer,) = load_steers(SteeringSettings.from_user({"contrast": "base", **given}), adapted)
    other = steer.needs.companions["other"]
    assert isinstance(other, AdapterOff)
    assert other.model is adapted.model


def test_without_an_adapter_there_is_no_base(tagged: LanguageModel) -> None:
    with pytest.raises(ModelError, match="no adapter"):
        load_steers(SteeringSettings(contrast="base"), tagged)


# --- what does not fit


@pytest.mark.parametrize("key", sorted(GOES_WITH))
def test_a_setting_without_the_one_that_it_belongs_to_is_refused(tagged: LanguageModel, key: str) -> None:
    values = {"thinking": False, "contrast_mode": "amplified", "contrast_options": {"plausible": 0.5}}
    value: object = values.get(key, 1.0 if key == "epsilon" or key.endswith("strength") else BAD)
    with pytest.raises(UsageError, match=GOES_WITH[key]):
        load_steers(SteeringSettings.from_user({key: value}), tagged)


def test_a_head_of_another_model_is_refused(tagged: LanguageModel, tmp_path: Path) -> None:
    ValueHead(tagged.width, 7).save(tmp_path / "head.safetensors")
    with pytest.raises(ModelError, match=r"7 logits.*'tiny' has 32"):
        load_steers(SteeringSettings(cap=tmp_path / "head.safetensors"), tagged)


def test_a_tag_that_the_model_does_not_know_is_refused(tagged: LanguageModel) -> None:
    for settings in (SteeringSettings(tag="<|other|>"), SteeringSettings(tag=GOOD, tag_opposite="<|other|>")):
        with pytest.raises(ModelError, match="other"):
            load_steers(settings, tagged)


def test_a_model_with_another_tokenizer_is_refused(tagged: LanguageModel, tmp_path: Path) -> None:
    tagged.save(tmp_path)
    vocabulary = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    ids = vocabulary["model"]["vocab"]
    ids["a"], ids["b"] = ids["b"], ids["a"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    with pytest.raises(UsageError, match="tokenizers"):
        load_steers(SteeringSettings(contrast=str(tmp_path)), tagged)


@pytest.mark.parametrize("key", ["ban", "cap"])
def test_a_file_that_is_not_there_is_named(tagged: LanguageModel, tmp_path: Path, key: str) -> None:
    with pytest.raises(DataError, match=r"none\.file"):
        load_steers(SteeringSettings.from_user({key: tmp_path / "none.file"}), tagged)


def test_a_list_without_a_rule_is_refused(tiny: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# nothing yet\n")
    with pytest.raises(UsageError, match=r"empty\.txt holds no rule"):
        load_steers(SteeringSettings(ban=tmp_path / "empty.txt"), tiny)
