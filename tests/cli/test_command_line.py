"""The command line in this process: quick, and enough wherever what is imported does not matter."""

import json
from pathlib import Path

import pytest
from in_process import Planish
from typer.testing import CliRunner

from planish.cli.app import app
from planish.models.language_model import LanguageModel
from planish.recipes.outcome import Outcome
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.records.record import read_records

VERBS = ["antislop", "autoif", "condition", "rectify", "diff", "prove"]
OTHERS = ["demo", "resume", "ls", "generate", "chat", "serve", "bans", "train", "find", "profile", "bench", "check"]


def test_help_names_every_verb() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(verb in result.output for verb in [*VERBS, *OTHERS])


def test_no_verb_shows_the_help() -> None:
    runner = CliRunner()
    assert runner.invoke(app, []).output.strip() == runner.invoke(app, ["--help"]).output.strip()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_verb_explains_its_flags(verb: str, flag: str) -> None:
    result = CliRunner().invoke(app, [verb, flag], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    for named in (
        "--prompts",
        "--limit",
        "--samples",
        "--max-tokens",
        "--set",
        "--seed",
        "--device",
        "--out",
        "--json",
    ):
        assert named in result.output


@pytest.mark.parametrize(
    "arguments", [["antislop"], ["smooth", "tiny"], ["diff", "tiny"], ["diff", "tiny", "tiny", "--limit", "2"]]
)
def test_a_wrong_command_is_a_usage_error(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("top_q=0.9", ["'top_q'", "'top_p'"]),
        ("colour=red", ["'colour'", "temperature"]),
        ("top_p=7", ["top_p", "7", "less than or equal to 1"]),
        ("top_k=many", ["top_k", "many"]),
        ("temperature=nan", ["temperature", "nan"]),
        ("top_p", ["top_p", "KEY=VALUE"]),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_write(planish: Planish, setting: str, named: list[str]) -> None:
    error = planish.fails(2, "diff", "tiny", "tiny", "--set", setting)
    assert all(name in error for name in named)


def test_a_missing_prompt_file_is_named(planish: Planish, tmp_path: Path) -> None:
    assert "none.txt" in planish.fails(1, "diff", "tiny", "tiny", "--prompts", tmp_path / "none.txt")


def test_a_bad_row_is_named_with_its_line(planish: Planish, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{"txt": "b"}\n', encoding="utf-8")
    assert "rows.jsonl, line 2" in planish.fails(1, "diff", "tiny", "tiny", "--prompts", tmp_path / "rows.jsonl")


@pytest.mark.parametrize("verb", OTHERS)
def test_the_other_verbs_explain_themselves(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    assert "Usage" in result.output


@pytest.mark.parametrize("content", [None, "{}", '{"model_type": "lama"}', "not json"])
def test_a_folder_without_a_model_is_named(planish: Planish, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert str(tmp_path) in planish.fails(1, "antislop", tmp_path)


def test_a_folder_that_is_not_there_is_named(planish: Planish, tmp_path: Path) -> None:
    assert "nowhere" in planish.fails(1, "antislop", tmp_path / "nowhere")


def test_a_device_that_is_not_there_is_named(planish: Planish) -> None:
    arguments = ["diff", "tiny", "tiny", "--limit", 3, "--samples", 1, "--max-tokens", 2, "--device", "abacus"]
    ended = planish(*arguments)
    assert ended.code in (1, 2)
    assert ended.out == ""
    assert "abacus" in ended.err
    assert "Traceback" not in ended.err


def test_models_with_different_tokenizers_are_not_compared(
    planish: Planish, tiny: LanguageModel, tmp_path: Path
) -> None:
    tiny.save(tmp_path)
    vocabulary = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    ids = vocabulary["model"]["vocab"]
    ids["a"], ids["b"] = ids["b"], ids["a"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    ended = planish("diff", "tiny", tmp_path, "--limit", 3, "--samples", 1, "--max-tokens", 2)
    assert ended.code in (1, 2)
    assert "tokenizer" in ended.err


def test_a_folder_that_is_there_is_not_written_over(planish: Planish, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert str(tmp_path) in planish.fails(2, "diff", "tiny", "tiny", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_named(planish: Planish, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    arguments = ["diff", "tiny", "tiny", "--limit", 3, "--samples", 1, "--max-tokens", 2]
    ended = planish(*arguments, "--out", tmp_path / "mine.txt" / "run")
    assert ended.code in (1, 2)
    assert "mine.txt" in ended.err


def test_any_seed_works_or_is_a_usage_error(planish: Planish) -> None:
    for seed in (-1, 2**40):
        ended = planish("diff", "tiny", "tiny", "--limit", 3, "--max-tokens", 2, "--json", "--seed", seed)
        assert (ended.code == 0) == ("evidence" in ended.out)
        assert ended.code in (0, 2)


def test_evidence_is_printed_as_json_and_saved_with_the_rows(planish: Planish, tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    settings = ["--limit", 3, "--samples", 2, "--max-tokens", 5, "--set", "top_k=9"]
    ended = planish("diff", "tiny", "tiny", *settings, "--json", "--out", out)
    assert ended.code == 0
    printed = [Evidence.model_validate(line) for line in json.loads(ended.out)["evidence"]]
    assert printed == read_records(out / "evidence.jsonl", Evidence)
    assert all(line.n == 3 for line in printed)
    texts = read_records(out / "before.jsonl", Generation)
    assert len(texts) == 6
    assert all(len(text.token_ids) <= 5 for text in texts)


def test_the_same_seed_prints_the_same_and_another_does_not(planish: Planish) -> None:
    settings = ["diff", "tiny", "tiny", "--limit", 3, "--samples", 1, "--max-tokens", 8, "--json", "--seed"]
    assert planish(*settings, 4).out == planish(*settings, 4).out != planish(*settings, 5).out


def test_a_table_is_whole_where_there_is_no_terminal(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ended = planish("diff", "tiny", "tiny", "--limit", 3, "--samples", 1, "--max-tokens", 5)
    assert ended.code == 0
    assert all(name in ended.out for name in ("kl_per_token_reversed", "distinct_2", "words_per_text", "verdict"))
    assert "\x1b" not in ended.out


def test_prompts_come_from_a_file(planish: Planish, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("One.\nTwo.\nThree.\nFour.\n")
    settings = ["--prompts", tmp_path / "prompts.txt", "--samples", 1, "--max-tokens", 3, "--json"]
    for limit, used in (([], 4), (["--limit", 3], 3)):
        ended = planish("diff", "tiny", "tiny", *settings, *limit)
        assert {line["n"] for line in json.loads(ended.out)["evidence"]} == {used}


@pytest.mark.parametrize("verb", ["condition", "rectify"])
def test_lines_of_a_file_are_openings_where_a_text_is_continued(
    planish: Planish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    (tmp_path / "prompts.txt").write_text("One.\n")
    seen: list[Prompt] = []

    def recipe(_: LanguageModel, prompts: list[Prompt], *__: object) -> Outcome:
        seen.extend(prompts)
        return Outcome([])

    monkeypatch.setattr(f"planish.recipes.{verb}.{verb}", recipe)
    assert planish(verb, "tiny", "--prompts", tmp_path / "prompts.txt").code == 0
    assert [prompt.text for prompt in seen] == ["One."]


def test_interrupting_ends_with_130(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("planish.recipes.diff.diff", interrupted)
    ended = planish("diff", "tiny", "tiny")
    assert ended.code == 130
    assert "Traceback" not in ended.err
