from pathlib import Path

import pytest

from chat_server import chat_server
from planish.config import Settings
from planish.errors import DataError, ModelError, UsageError
from planish.models.language_model import LanguageModel
from planish.recipes.generator import GeneratorSetting, open_generator
from planish.runs.run import Run


class Named(Settings):
    generator: GeneratorSetting


def new_run(folder: Path) -> Run:
    return Run.start(folder, "test", {}, {})


def no_model() -> LanguageModel:
    raise AssertionError("the model is not needed")


def test_the_model_itself_is_loaded_when_a_reply_is_missing_and_not_before(tmp_path: Path, tiny: LanguageModel) -> None:
    with new_run(tmp_path) as run:
        asker, calls = open_generator(run, "self", lambda: tiny)
        request = calls.answer("Red?", "One word.", samples=1).model_copy(update={"max_tokens": 4})
        first = asker.ask([request])
        assert first[0][0].status == "ok"
        again, same_calls = open_generator(run, "self", no_model)
        assert same_calls.answer("Red?", "One word.", samples=1).model_copy(update={"max_tokens": 4}) == request
        assert again.ask([request]) == first
        with pytest.raises(AssertionError, match="not needed"):
            again.ask([calls.judge_same("a", "b")])
    assert (tmp_path / "replies.jsonl").is_file()


def test_a_server_with_one_model_is_replayed_after_it_is_gone(tmp_path: Path) -> None:
    with chat_server(lambda body: "Use no commas.") as server, new_run(tmp_path) as run:
        asker, calls = open_generator(run, server.url, no_model)
        requests = [calls.new_instruction("Red?", [])]
        first = asker.ask(requests)
    assert [reply.text for own in first for reply in own] == ["Use no commas."]
    with new_run(tmp_path) as run:
        for is_recorded in (False, True):
            asker, calls = open_generator(run, server.url, no_model, is_recorded=is_recorded)
            assert asker.ask([calls.new_instruction("Red?", [])]) == first
        with pytest.raises(DataError, match="the model 'fake' is needed"):
            asker.ask([calls.judge_same("a", "b")])


def test_a_named_model_is_asked_for_and_its_server_only_with_the_first_request(tmp_path: Path) -> None:
    with chat_server(lambda body: body["model"]) as server, new_run(tmp_path) as run:
        server.listing = {"data": [{"id": "large", "owned_by": "x"}, {"id": "small", "owned_by": "x"}]}
        with pytest.raises(ModelError, match="serves 2 models: large, small") as found:
            open_generator(run, server.url, no_model)
        assert "--generator-model" in found.value.hint
        asker, calls = open_generator(run, server.url, no_model, name="small")
        [[reply]] = asker.ask([calls.judge_same("a", "b")])
        assert reply.text == "small"
    with new_run(tmp_path) as run:
        open_generator(run, "http://127.0.0.1:1", no_model, name="small")


def test_the_seed_is_part_of_every_request(tmp_path: Path) -> None:
    with new_run(tmp_path) as run:
        _, first = open_generator(run, "self", no_model, seed=1)
        _, other = open_generator(run, "self", no_model, seed=2)
    assert first.judge_same("a", "b").key != other.judge_same("a", "b").key


def test_what_is_no_generator_is_refused(tmp_path: Path) -> None:
    assert Named.from_user({"generator": "self"}).generator == "self"
    assert Named.from_user({"generator": "localhost:8000"}).generator == "localhost:8000"
    with pytest.raises(UsageError, match="generator = 'myself' is neither self nor the address"):
        Named.from_user({"generator": "myself"})
    with new_run(tmp_path) as run:
        with pytest.raises(UsageError, match="'small' is on no server"):
            open_generator(run, "self", no_model, name="small")
        with pytest.raises(DataError, match="does not say which model"):
            open_generator(run, "localhost:1", no_model, is_recorded=True)
