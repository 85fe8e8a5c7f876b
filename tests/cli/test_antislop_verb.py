import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fake_recipe import fake_recipe
from in_process import Planish

from llama_server import llama_server
from planish.cli.antislop import AntislopFlags
from planish.models.loading import load_model
from planish.models.server_process import free_port
from planish.recipes.antislop_settings import STAGES, AntislopSettings
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.record import read_records

QUICK = ["--limit", 6, "--samples", 1, "--max-tokens", 3, "--until", "write"]
# For each flag what is typed, and what the recipe is told.
FLAGS: dict[str, tuple[list[object], dict[str, Any]]] = {
    "prompts": (["--prompts", "mine.txt"], {"prompts": "mine.txt"}),
    "openings": (["--openings"], {"openings": True}),
    "first_words": (["--first-words", 9], {"first_words": 9}),
    "limit": (["--limit", 9], {"limit": 9}),
    "system": (["--system", "Be brief."], {"system": "Be brief."}),
    "prompt_template": (["--prompt-template", "On {prompt}"], {"prompt_template": "On {prompt}"}),
    "samples": (["--samples", 9], {"samples": 9}),
    "max_tokens": (["--max-tokens", 9], {"sampling": {"max_tokens": 9}}),
    "baseline": (["--baseline", "human.txt"], {"baseline": "human.txt"}),
    "reference_text": (["--reference-text", "human.txt"], {"reference_text": "human.txt"}),
    "index": (["--index", "list.txt"], {"index": "list.txt"}),
    "ban": (["--ban", "list.txt"], {"ban": "list.txt"}),
    "whitelist": (["--whitelist", "lily", "--whitelist", "once upon"], {"whitelist": ("lily", "once upon")}),
    "behaviour": (["--behaviour", "own.py:Own"], {"behaviour": "own.py:Own"}),
    "own_only": (["--own-only"], {"own_only": True}),
    "iterations": (["--iterations", 9], {"iterations": 9}),
    "tuner": (["--tuner", "dpo"], {"tuner": "dpo"}),
    "tune_model": (["--tune-model", "other"], {"tune_model": "other"}),
    "until": (["--until", "mine"], {"until": "mine"}),
    "seed": (["--seed", 9], {"seed": 9}),
    "device": (["--device", "cuda"], {"device": "cuda"}),
    "engine": (["--engine", "http://localhost:8000/v1"], {"engine": "http://localhost:8000/v1"}),
    "concurrency": (["--concurrency", 3], {"concurrency": 3}),
    "out": (["--out", "here"], {"out": Path("here")}),
    "config": (["--config", "settings.toml"], {"samples": 5, "sampling": {"top_p": 0.9}}),
    "set": (
        ["--set", "sampling.top_p=0.8", "--set", "ftpo.epochs=9"],
        {"sampling": {"top_p": 0.8}, "ftpo": {"epochs": 9}},
    ),
}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the recipe was called with."""
    return fake_recipe("antislop", monkeypatch)


def test_there_is_a_case_for_every_flag() -> None:
    assert list(FLAGS) == [name for name in AntislopFlags.__dataclass_fields__ if name not in ("json", "quiet")]


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_reaches_the_recipe(flag: str, planish: Planish, given: dict[str, Any]) -> None:
    Path("settings.toml").write_text("samples = 5\n\n[sampling]\ntop_p = 0.9\n")
    typed, told = FLAGS[flag]
    assert planish("antislop", "tiny", *typed).code == 0
    del given["listener"]
    assert given == {"model": "tiny", "out": Path("runs/antislop-tiny"), **told}


def test_a_flag_wins_over_the_file_and_set_over_both(planish: Planish, given: dict[str, Any]) -> None:
    Path("settings.toml").write_text("samples = 5\nlimit = 5\nseed = 5\nmodel = 'other'\n\n[sampling]\ntop_p = 0.9\n")
    flags = ["--limit", 6, "--seed", 6, "--max-tokens", 6, "--set", "seed=7"]
    assert planish("antislop", "tiny", "--config", "settings.toml", *flags).code == 0
    assert (given["model"], given["samples"], given["limit"], given["seed"]) == ("tiny", 5, 6, 7)
    assert given["sampling"] == {"top_p": 0.9, "max_tokens": 6}


def test_a_run_can_be_done_again_from_its_settings(planish: Planish) -> None:
    assert planish("antislop", "tiny", *QUICK, "--seed", 3, "--out", "first").code == 0
    assert planish("antislop", "tiny", "--config", "first/config.toml", "--until", "write", "--out", "again").code == 0
    assert Path("first/config.toml").read_text() == Path("again/config.toml").read_text()
    assert tomllib.loads(Path("again/config.toml").read_text())["seed"] == 3


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("sampels=3", ["'sampels'", "'samples'"]),
        ("sampling.top_q=0.9", ["'sampling.top_q'", "'sampling.top_p'"]),
        ("ftpo.margn=1", ["'ftpo.margn'", "'ftpo.margin'"]),
        ("colour=red", ["'colour'", "whitelist"]),
        ("sampling.top_p=7", ["sampling.top_p", "7", "less than or equal to 1"]),
        ("sampling=7", ["sampling", "7"]),
        ("samples=many", ["samples", "many"]),
        ("samples", ["samples", "KEY=VALUE"]),
        ("limit=2", ["limit", "2"]),
        ("seed=-1", ["seed", "-1"]),
        ("until=nonsense", ["until", "nonsense", *STAGES]),
        ("engine=lokal", ["engine", "lokal", "local", "vllm", "http"]),
        ("engine=http://me:hunter22@host", ["password", "PLANISH_API_KEY"]),
        ("concurrency=0", ["concurrency", "0"]),
        ("tuner=nonsense", ["tuner", "nonsense", "ftpo", "dpo"]),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_write(planish: Planish, setting: str, named: list[str]) -> None:
    error = planish.fails(2, "antislop", "tiny", "--set", setting)
    assert all(name in error for name in named)
    assert not Path("runs").exists()


def test_what_is_set_as_a_whole_and_in_part_is_named(planish: Planish) -> None:
    assert "sampling.top_p" in planish.fails(2, "antislop", "tiny", "--set", "sampling=3", "--set", "sampling.top_p=1")


@pytest.mark.parametrize(("flag", "value"), [("--until", "nonsense"), ("--tuner", "nonsense"), ("--limit", 2)])
def test_a_wrong_flag_is_named(planish: Planish, flag: str, value: object) -> None:
    error = planish.fails(2, "antislop", "tiny", flag, value)
    assert flag.strip("-") in error
    assert str(value) in error


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("empty.txt", "", "empty.txt"),
        ("blank.txt", "\n  \n", "blank.txt"),
        ("one.txt", "A story about a mouse.\n", "1 distinct prompts"),
        ("rows.jsonl", '{"prompt": "A mouse."}\n' * 36 + '{"prompt": "A mo\n', "rows.jsonl, line 37"),
        ("long.txt", "".join(f"{number}" * 600 + "\n" for number in range(6)), "context of 512 tokens"),
    ],
)
def test_prompts_that_cannot_be_used_are_named(planish: Planish, name: str, content: str, named: str) -> None:
    Path(name).write_text(content, encoding="utf-8")
    assert named in planish.fails(1, "antislop", "tiny", "--prompts", name)


def test_of_many_prompts_only_those_are_read_that_are_used(planish: Planish) -> None:
    lines = [json.dumps({"prompt": f"A story about {number} mice."}) for number in range(100_000)]
    Path("many.jsonl").write_text("\n".join([*lines, "not read"]), encoding="utf-8")
    assert planish("antislop", "tiny", "--prompts", "many.jsonl", *QUICK, "--out", "run").code == 0
    texts = read_records(Path("run/stages/1-write/rows.jsonl"), Generation)
    assert len({text.prompt_id for text in texts}) == 4


@pytest.mark.parametrize(
    ("rule", "named"), [("re: (", "'('"), ("re: (?=a)b", "RE2"), ("ng: of the", "'of the'"), ("re:", "line 2")]
)
def test_a_rule_that_cannot_be_matched_is_named(planish: Planish, rule: str, named: str) -> None:
    Path("bans.txt").write_text(f"lily\n{rule}\n", encoding="utf-8")
    ended = planish("antislop", "tiny", "--ban", "bans.txt")
    assert ended.code in (1, 2)
    assert named in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 3


def test_a_model_that_is_not_there_is_named(planish: Planish, tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in planish.fails(1, "antislop", tmp_path / "nowhere")
    assert not Path("runs").exists()


def test_a_folder_that_cannot_be_written_is_named(planish: Planish) -> None:
    Path("mine.txt").write_text("mine")
    assert "mine.txt" in planish.fails(2, "antislop", "tiny", *QUICK, "--out", "mine.txt/run")


def test_a_folder_with_something_else_in_it_is_left_alone(planish: Planish, tmp_path: Path) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    assert "notes.txt" in planish.fails(2, "antislop", "tiny", *QUICK, "--out", "mine")
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_a_run_with_other_settings_is_refused_by_the_setting(planish: Planish) -> None:
    assert planish("antislop", "tiny", *QUICK, "--out", "run").code == 0
    error = planish.fails(2, "antislop", "tiny", *QUICK, "--out", "run", "--seed", 3)
    assert "seed was 0, now 3" in error


def test_a_list_that_is_empty_is_an_error_that_says_so(planish: Planish) -> None:
    settings = ["--limit", 12, "--samples", 2, "--max-tokens", 20, "--set", "least_ratio=1e9"]
    assert "nothing is overused" in planish.fails(1, "antislop", "tiny", *settings)


def test_progress_is_on_standard_error_and_quiet_leaves_it_out(planish: Planish) -> None:
    ended = planish("antislop", "tiny", *QUICK, "--out", "first")
    assert "first" in ended.out
    assert ended.err.splitlines()[0] == "tiny: first"
    assert "write: 4 rows" in ended.err
    assert planish("antislop", "tiny", *QUICK, "--out", "second", "--quiet").err == ""


def test_json_is_the_evidence_and_nothing_else(planish: Planish) -> None:
    settings = ["--limit", 12, "--samples", 3, "--max-tokens", 40, "--set", "front=[]"]
    ended = planish("antislop", "tiny", *settings, "--json", "--out", "run")
    assert ended.code == 0
    printed = json.loads(ended.out)
    assert set(printed) == {"evidence", "notes", "run", "model", "adapter"}
    assert printed["run"] == "run"
    assert Path(printed["model"], "config.json").is_file()
    assert Path(printed["adapter"], "adapter_config.json").is_file()
    (stage,) = Path("run/stages").glob("*-evidence")
    evidence = [Evidence.model_validate(line) for line in printed["evidence"]]
    assert evidence == read_records(stage / "rows.jsonl", Evidence)
    again = planish("resume", "run", "--json")
    assert (again.code, json.loads(again.out)) == (0, printed)


def test_a_real_server_writes_what_is_searched(planish: Planish) -> None:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    Path("bans.txt").write_text("was\n", encoding="utf-8")
    settings = ["--limit", 12, "--max-tokens", 40, "--ban", "bans.txt", "--until", "find", "--out", "run"]
    with llama_server(load_model("bundled")) as url:
        assert planish("antislop", "bundled", "--engine", url, *settings).code == 0
    texts = read_records(Path("run/stages/1-write/rows.jsonl"), Generation)
    assert [text.status for text in texts] == ["ok"] * 16
    assert all(0 < len(text.token_ids) <= 40 for text in texts)


def test_a_server_that_is_not_there_is_named(planish: Planish) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    assert address in planish.fails(1, "antislop", "tiny", *QUICK, "--engine", address)


def test_every_setting_of_the_demo_is_one(planish: Planish, given: dict[str, Any]) -> None:
    assert planish("demo").code == 0
    assert given["model"] == "bundled"
    checked = AntislopSettings.from_user({key: value for key, value in given.items() if key not in ("out", "listener")})
    assert checked.until == "prove"
