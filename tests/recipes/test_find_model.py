from pathlib import Path
from typing import Any

import pytest
from found_texts import ALONE, found, profile_of

import planish
from planish.errors import ModelError, UsageError
from planish.models.language_model import LanguageModel
from planish.recipes.find import find
from planish.recipes.find_settings import FindSettings
from planish.recipes.find_source import is_model
from planish.records.generation import Generation
from planish.records.record import read_records
from planish.runs.event import RunEvent


def prompts_file(folder: Path, number: int = 4) -> str:
    (folder / "prompts.txt").write_text("".join(f"{at} mice\n" for at in range(number)))
    return str(folder / "prompts.txt")


def test_a_model_writes_and_its_texts_are_kept(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"prompts": prompts_file(tmp_path), "samples": 3, "sampling": {"max_tokens": 5}}
    result = found("tiny", out=tmp_path / "out", **asked)
    texts = read_records(tmp_path / "out" / "generations.jsonl", Generation)
    assert [len(text.token_ids) for text in texts] == [5] * 12
    documents = [one for shard in result.shards[0] for one in shard.documents(None)]  # type: ignore[arg-type]
    assert [one.text for one in documents] == [text.text for text in texts]
    assert {one.prompt for one in documents} == {f"{at} mice" for at in range(4)}
    assert (result.profiles[0].source, result.profiles[0].texts) == ("tiny", 12)


def test_a_run_stands_for_the_model_that_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: LanguageModel
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.save(tmp_path / "run" / "model")
    asked: dict[str, Any] = {"prompts": prompts_file(tmp_path), "sampling": {"max_tokens": 5}, **ALONE}
    assert planish.find_overused("run", **asked).profiles[0].texts == 8


def test_what_a_model_wrote_depends_on_the_seed_and_not_on_the_blocks(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"prompts": prompts_file(tmp_path), "samples": 2, "sampling": {"max_tokens": 5}}
    one, blocks, other = (
        profile_of("tiny", **asked, **each) for each in ({"block": 256}, {"block": 2}, {"block": 256, "seed": 1})
    )
    assert one == blocks
    assert one != other


def test_every_block_is_kept_as_soon_as_it_is_written(tmp_path: Path) -> None:
    events: list[tuple[str, str, int]] = []
    kept: list[int] = []

    def listen(event: RunEvent) -> None:
        events.append((event.stage, event.kind, int(event.figures.get("rows", 0))))
        if event.kind == "block":
            kept.append(len(read_records(tmp_path / "generations.jsonl", Generation)))

    asked: dict[str, Any] = {"prompts": prompts_file(tmp_path), "samples": 2, "block": 4, "sampling": {"max_tokens": 3}}
    find(FindSettings.from_user({"sources": "tiny", **ALONE, **asked}), tmp_path, listen)
    assert kept == [4, 8]
    assert events == [
        ("write tiny", "begin", 0),
        ("write tiny", "expect", 8),
        ("write tiny", "block", 4),
        ("write tiny", "block", 8),
        ("write tiny", "end", 8),
        ("count tiny", "begin", 0),
        ("count tiny", "end", 8),
        ("measure tiny", "begin", 0),
        ("measure tiny", "end", 8),
    ]


def test_a_limit_is_of_the_texts_of_a_model_too(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"prompts": prompts_file(tmp_path), "samples": 2, "limit": 3, "sampling": {"max_tokens": 5}}
    assert profile_of("tiny", out=tmp_path / "out", **asked).texts == 3
    assert len(read_records(tmp_path / "out" / "generations.jsonl", Generation)) == 4


def test_a_text_that_failed_is_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("mice\n" + "x" * 600 + "\n")
    asked: dict[str, Any] = {"prompts": str(tmp_path / "prompts.txt"), "samples": 2, "sampling": {"max_tokens": 5}}
    profile = profile_of("tiny", **asked)
    assert (profile.texts, profile.left_out) == (2, {"failed": 2})


def test_a_setting_of_the_sampling_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="max_token"):
        found("tiny", prompts=prompts_file(tmp_path), sampling={"max_token": 5})


def test_a_device_and_a_server_that_are_not_there_are_refused(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"prompts": prompts_file(tmp_path), "sampling": {"max_tokens": 5}}
    with pytest.raises(ModelError, match="there is no device"):
        found("tiny", device="elsewhere", **asked)
    with pytest.raises(ModelError, match="http"):
        found("tiny", engine="http://127.0.0.1:9/v1", concurrency=1, **asked)


@pytest.mark.parametrize(("source", "expected"), [("bundled", True), ("tiny", True), ("story.txt", False)])
def test_models_that_ship_are_models(source: str, expected: bool) -> None:
    assert is_model(source) is expected


def test_a_folder_is_a_model_where_it_has_a_models_configuration(tmp_path: Path) -> None:
    assert not is_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert is_model(str(tmp_path))


@pytest.mark.parametrize("there", [True, False])
def test_a_name_of_the_hub_is_a_model_where_a_model_has_it(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr("huggingface_hub.file_exists", lambda *_: there)
    assert is_model("owner/name") is there


def test_without_the_network_a_model_is_known_from_what_was_loaded_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object) -> bool:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.file_exists", offline)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "/cache/config.json")
    assert is_model("owner/name")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    assert not is_model("owner/name")
