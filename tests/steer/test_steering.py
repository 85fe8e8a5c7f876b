import json
from pathlib import Path
from typing import Any

import pytest
import torch

from planish.errors import DataError, ModelError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.models.value_head import ValueHead
from planish.records.prompt import Prompt
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
    return {
        "ban": str(folder / "list.txt"),
        "cap": str(folder / "head.safetensors"),
        "contrast": str(folder / "other"),
        "tag": GOOD,
    }


def written(model: LanguageModel, **settings: Any) -> list[str]:
    steers = load_steers(SteeringSettings.from_user(settings), model)
    texts = Engine(model, steers, Sampling(max_tokens=30)).generate([Prompt(text="Once")], samples=4)
    assert all(text.status == "ok" for text in texts)
    return [text.text for text in texts]


@pytest.mark.parametrize(
    ("key", "value", "others"),
    [
        ("ban", None, {}),
        ("cap", None, {}),
        ("epsilon", 0.45, {"cap": None}),
        ("contrast", None, {}),
        ("contrast_strength", 2.0, {"contrast": None}),
        ("tag", None, {}),
        ("tag_opposite", BAD, {"tag": None}),
        ("tag_strength", 4.0, {"tag": None, "tag_opposite": BAD}),
    ],
)
def test_every_setting_changes_what_is_written(
    tagged: LanguageModel, files: dict[str, Any], key: str, value: object, others: dict[str, Any]
) -> None:
    """None stands for the file, the folder or the tag of that name."""
    given = {name: files[name] if other is None else other for name, other in others.items()}
    assert written(tagged, **given) != written(tagged, **given, **{key: files[key] if value is None else value})


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


@pytest.mark.parametrize("key", sorted(GOES_WITH))
def test_a_setting_without_the_one_that_it_belongs_to_is_refused(tagged: LanguageModel, key: str) -> None:
    value = {"thinking": False, "tag_opposite": BAD}.get(key, 1.0)
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
