"""`planish autoif`."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fake_recipe import fake_recipe
from in_process import Planish

from planish.cli.autoif import AutoifFlags
from planish.models.server_process import free_port
from planish.recipes.autoif_settings import STAGES
from planish.records.evidence import Evidence
from planish.records.record import read_records

QUICK = ["--limit", 6, "--samples", 1, "--max-tokens", 3, "--until", "write"]
# As little as leaves something to learn.
WHOLE = ["--limit", 12, "--samples", 6, "--max-tokens", 24, "--kinds", "no_full_stops", "--kinds", "no_apostrophes"]
WHOLE += ["--set", "judged_samples=1", "--set", "dpo.epochs=1"]
# For each flag what is typed, and what the recipe is told.
FLAGS: dict[str, tuple[list[object], dict[str, Any]]] = {
    "prompts": (["--prompts", "mine.txt"], {"prompts": "mine.txt"}),
    "limit": (["--limit", 9], {"limit": 9}),
    "system": (["--system", "Be brief."], {"system": "Be brief."}),
    "samples": (["--samples", 9], {"samples": 9}),
    "max_tokens": (["--max-tokens", 9], {"sampling": {"max_tokens": 9}}),
    "reference_text": (["--reference-text", "human.txt"], {"reference_text": "human.txt"}),
    "instructions": (["--instructions", "written"], {"instructions": "written"}),
    "kinds": (
        ["--kinds", "no_commas", "--kinds", 'at_most_words{"count": 5}'],
        {"kinds": ("no_commas", 'at_most_words{"count": 5}')},
    ),
    "held_out_kinds": (["--held-out-kinds", "question"], {"held_out_kinds": ("question",)}),
    "most_constraints": (["--most-constraints", 3], {"most_constraints": 3}),
    # Who wants another model to write wants written instructions.
    "generator": (
        ["--generator", "http://localhost:8000/v1"],
        {"generator": "http://localhost:8000/v1", "instructions": "written"},
    ),
    "generator_model": (["--generator-model", "large"], {"generator_model": "large"}),
    "control": (["--control"], {"control": True}),
    "benchmarks": (["--benchmark", "ifeval", "--benchmark", "hellaswag"], {"benchmarks": ("ifeval", "hellaswag")}),
    "until": (["--until", "pair"], {"until": "pair"}),
    "seed": (["--seed", 9], {"seed": 9}),
    "device": (["--device", "cuda"], {"device": "cuda"}),
    "engine": (["--engine", "http://localhost:8000/v1"], {"engine": "http://localhost:8000/v1"}),
    "concurrency": (["--concurrency", 3], {"concurrency": 3}),
    "out": (["--out", "here"], {"out": Path("here")}),
    "config": (["--config", "settings.toml"], {"samples": 5, "sampling": {"top_p": 0.9}}),
    "set": (
        ["--set", "sampling.top_p=0.8", "--set", "sweep.betas=[0.1, 0.5]"],
        {"sampling": {"top_p": 0.8}, "sweep": {"betas": (0.1, 0.5)}},
    ),
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the recipe was called with."""
    return fake_recipe("autoif", monkeypatch)


def test_there_is_a_case_for_every_flag() -> None:
    assert list(FLAGS) == [name for name in AutoifFlags.__dataclass_fields__ if name not in ("json", "quiet")]


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_reaches_the_recipe(flag: str, planish: Planish, told: dict[str, Any]) -> None:
    Path("settings.toml").write_text("samples = 5\n\n[sampling]\ntop_p = 0.9\n")
    typed, given = FLAGS[flag]
    assert planish("autoif", "tiny", *typed).code == 0
    del told["listener"]
    assert told == {"model": "tiny", "out": Path("runs/autoif-tiny"), **given}


def test_a_flag_wins_over_the_file_and_set_over_both(planish: Planish, told: dict[str, Any]) -> None:
    Path("settings.toml").write_text("samples = 5\nlimit = 5\nseed = 5\nmodel = 'other'\n\n[sampling]\ntop_p = 0.9\n")
    flags = ["--limit", 6, "--seed", 6, "--max-tokens", 6, "--set", "seed=7"]
    assert planish("autoif", "tiny", "--config", "settings.toml", *flags).code == 0
    assert (told["model"], told["samples"], told["limit"], told["seed"]) == ("tiny", 5, 6, 7)
    assert told["sampling"] == {"top_p": 0.9, "max_tokens": 6}


def test_a_run_can_be_done_again_from_its_settings(planish: Planish) -> None:
    kinds = ["--kinds", 'at_most_words{"count": 5}', "--held-out-kinds", "question"]
    assert planish("autoif", "tiny", *QUICK, *kinds, "--seed", 3, "--out", "first").code == 0
    assert planish("autoif", "tiny", "--config", "first/config.toml", "--until", "write", "--out", "again").code == 0
    assert Path("first/config.toml").read_text() == Path("again/config.toml").read_text()
    assert tomllib.loads(Path("again/config.toml").read_text())["kinds"] == ['at_most_words{"count": 5}']


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("sampels=3", ["'sampels'", "'samples'"]),
        ("sampling.top_q=0.9", ["'sampling.top_q'", "'sampling.top_p'"]),
        ("dpo.bta=1", ["'dpo.bta'", "'dpo.beta'"]),
        ("sweep.beta=[1]", ["'sweep.beta'", "'sweep.betas'"]),
        ("written.vetting.most_char=1", ["'written.vetting.most_char'", "'written.vetting.most_chars'"]),
        ("dpo.beta=0", ["dpo.beta", "0"]),
        ("sweep.betas=[-1]", ["sweep.betas", "-1"]),
        ("samples=many", ["samples", "many"]),
        ("samples", ["samples", "KEY=VALUE"]),
        ("limit=2", ["limit", "2"]),
        ("until=nonsense", ["until", "nonsense", *STAGES]),
        ("instructions=own", ["instructions", "own", "built-in", "written"]),
        ("kinds=['no_coma']", ["'no_coma'", "'no_commas'"]),
        ("most_constraints=6", ["most_constraints", "6", "5"]),
        ("generator=myself", ["generator", "myself", "self", "http"]),
        ("generator=http://me:hunter22@host", ["password"]),
        ("engine=lokal", ["engine", "lokal", "local", "vllm", "http"]),
        ("sandbox=none", ["sandbox", "none", "wasm", "linux"]),
        ("benchmarks=['ifevl']", ["benchmarks", "ifevl", "ifeval", "hellaswag"]),
        ("pairing.method=all", ["pairing.method", "all", "zip"]),
        ("pairing.chosen_at_least=0.3", ["pairing", "rejected_at_most must be below"]),
        ("crossed=maybe", ["crossed", "maybe"]),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_write(planish: Planish, setting: str, named: list[str]) -> None:
    error = planish.fails(2, "autoif", "tiny", "--set", setting)
    assert all(name in error for name in named), error
    assert "hunter22" not in error
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--until", "nonsense"], "nonsense"),
        (["--kinds", "no_coma"], "'no_commas'"),
        (["--kinds", "no_commas", "--held-out-kinds", "no_commas"], "both used and held out"),
        (["--generator", "http://localhost:1", "--instructions", "built-in"], "generator"),
        (["--instructions", "written", "--set", "crossed=true"], "crossed"),
        (["--system", "Be brief."], "chat template"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_flags_that_cannot_be_are_named(planish: Planish, flags: list[object], named: str) -> None:
    assert named in planish.fails(2, "autoif", "tiny", *flags)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("empty.txt", "", "empty.txt"),
        ("one.txt", "A story about a mouse.\n", "1 distinct prompts"),
        ("rows.jsonl", '{"colour": "red"}\n' * 6, "rows.jsonl"),
        ("long.txt", "".join(f"{number}" * 600 + "\n" for number in range(6)), "context of 512 tokens"),
    ],
)
def test_prompts_that_cannot_be_used_are_named(planish: Planish, name: str, content: str, named: str) -> None:
    Path(name).write_text(content, encoding="utf-8")
    assert named in planish.fails(1, "autoif", "tiny", "--prompts", name)


def test_one_row_that_is_malformed_is_skipped_and_said(planish: Planish) -> None:
    rows = [json.dumps({"prompt": f"Tell of {number}."}) for number in range(6)]
    Path("rows.jsonl").write_text("\n".join([*rows, '{"prompt": "A mo']), encoding="utf-8")
    ended = planish("autoif", "tiny", "--prompts", "rows.jsonl", "--samples", 1, "--max-tokens", 3, "--until", "write")
    assert ended.code == 0
    assert "skipped: 1 rows of rows.jsonl: malformed" in ended.out


def test_a_model_or_server_that_is_not_there_is_named(planish: Planish, tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in planish.fails(1, "autoif", tmp_path / "nowhere")
    address = f"http://127.0.0.1:{free_port()}"
    assert address in planish.fails(1, "autoif", "tiny", *QUICK, "--engine", address)
    assert not list(Path("runs").rglob("*-write/done.json"))


def test_a_folder_with_something_else_in_it_is_left_alone(planish: Planish) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    assert "notes.txt" in planish.fails(2, "autoif", "tiny", *QUICK, "--out", "mine")
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_a_run_with_other_settings_is_refused_by_the_setting(planish: Planish) -> None:
    assert planish("autoif", "tiny", *QUICK, "--out", "run").code == 0
    assert "seed was 0, now 3" in planish.fails(2, "autoif", "tiny", *QUICK, "--out", "run", "--seed", 3)
    assert "until" not in planish.fails(2, "antislop", "tiny", "--until", "write", "--out", "run")


def test_no_pairs_are_an_error_that_says_what_to_change(planish: Planish) -> None:
    error = planish.fails(1, "autoif", "tiny", "--limit", 6, "--samples", 1, "--max-tokens", 5, "--kinds", "json_only")
    assert "--samples" in error


def test_progress_is_on_standard_error_and_quiet_leaves_it_out(planish: Planish) -> None:
    ended = planish("autoif", "tiny", *QUICK, "--out", "first")
    assert "run: first" in ended.out
    assert ended.err.splitlines()[0] == "tiny: first"
    assert "write: 4 rows" in ended.err
    assert planish("autoif", "tiny", *QUICK, "--out", "second", "--quiet").err == ""


def test_a_run_is_resumed_to_its_end_and_json_is_the_evidence_and_nothing_else(planish: Planish) -> None:
    assert planish("autoif", "tiny", *WHOLE, "--until", "write").code == 0
    assert "'autoif-tiny'" in planish.fails(2, "resume", "autoif-tini")
    ended = planish("resume", "latest", "--until", "pair")
    assert (ended.code, "run: runs/autoif-tiny" in ended.out) == (0, True)
    assert "pairs: " in ended.out
    ended = planish("resume", "autoif-tiny", "--set", "dpo.epochs=2", "--json")
    assert ended.code == 0
    printed = json.loads(ended.out)
    assert set(printed) == {"evidence", "notes", "run", "model", "adapter"}
    assert printed["run"] == "runs/autoif-tiny"
    assert Path(printed["model"], "config.json").is_file()
    assert Path(printed["adapter"], "adapter_config.json").is_file()
    [stage] = Path("runs/autoif-tiny/stages").glob("*-evidence")
    assert [Evidence.model_validate(line) for line in printed["evidence"]] == read_records(
        stage / "rows.jsonl", Evidence
    )
    again = planish("resume", "--json")
    assert (again.code, json.loads(again.out)) == (0, printed)
    shown = planish("resume")
    assert "report: runs/autoif-tiny/report.html" in shown.out
    assert "epochs was 2, now 3" in planish.fails(2, "resume", "--set", "dpo.epochs=3")
    # What it made is a model wherever one is asked for.
    assert planish("autoif", "runs/autoif-tiny", *QUICK, "--out", "next").code == 0
