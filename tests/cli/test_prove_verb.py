from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from planish.cli.app import app
from planish.errors import DataError
from planish.recipes.engine_settings import EngineSettings
from planish.recipes.outcome import Outcome
from planish.records.rule import BanRule


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Any]]:
    """What the recipe was called with."""
    calls: list[Sequence[Any]] = []

    def recipe(*arguments: object, engine: EngineSettings) -> Outcome:
        calls.append((*arguments, engine))
        return Outcome([])

    monkeypatch.setattr("planish.recipes.prove.prove", recipe)
    return calls


def test_the_list_and_the_reference_text_reach_the_recipe(given: list[Sequence[Any]], tmp_path: Path) -> None:
    (tmp_path / "bans.jsonl").write_text(BanRule(text="a testament to").model_dump_json() + "\n", encoding="utf-8")
    (tmp_path / "prompts.txt").write_text("One.\nTwo.\nThree.\n", encoding="utf-8")
    files = ["--ban", tmp_path / "bans.jsonl", "--reference-text", "prose.txt", "--prompts", tmp_path / "prompts.txt"]
    settings = ["--samples", 2, "--seed", 5, "--max-tokens", 9, "--engine", "vllm", "--concurrency", 3]
    result = CliRunner().invoke(app, list(map(str, ["prove", "tiny", "tiny", *files, *settings])))
    assert result.exit_code == 0
    ((before, after, prompts, rules, samples, sampling, seed, reference, engine),) = given
    assert before.name == after.name == "tiny"
    assert [prompt.messages[0].content for prompt in prompts] == ["One.", "Two.", "Three."]
    assert [rule.text for rule in rules] == ["a testament to"]
    assert (samples, sampling.max_tokens, seed, reference) == (2, 9, 5, Path("prose.txt"))
    assert engine == EngineSettings(engine="vllm", concurrency=3)


def test_neither_is_needed(given: list[Sequence[Any]]) -> None:
    assert CliRunner().invoke(app, ["prove", "tiny", "tiny", "--limit", "3"]).exit_code == 0
    assert (list(given[0][3]), given[0][-2], given[0][-1]) == ([], None, EngineSettings())


def test_a_list_that_is_not_there_is_named_before_a_model_is_loaded(given: list[Sequence[Any]], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["prove", "no-model", "no-model", "--ban", str(tmp_path / "none.jsonl")])
    assert isinstance(result.exception, DataError)
    assert "none.jsonl" in result.exception.message
    assert not given
