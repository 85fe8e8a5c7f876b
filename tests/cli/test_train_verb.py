"""`planish train`."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fake_recipe import fake_recipe
from in_process import Planish

from planish.cli.train import TrainFlags
from planish.records.preference import CompletionPreference, Point, TokenPreferences
from planish.records.prompt import opening
from planish.records.record import write_records

# For each flag what is typed, and what the recipe is told.
FLAGS: dict[str, tuple[list[object], dict[str, Any]]] = {
    "merge": (["--no-merge"], {"merge": False}),
    "gguf": (["--gguf", "q8_0"], {"gguf": "q8_0"}),
    "strength": (["--strength", 0.5], {"strength": 0.5}),
    "push": (["--push", "ann/smooth"], {"push": "ann/smooth"}),
    "push_data": (["--push-data", "ann/rows"], {"push_data": "ann/rows"}),
    "private": (["--public"], {"private": False}),
    "four_bit": (["--four-bit"], {"four_bit": True}),
    "seed": (["--seed", 9], {"seed": 9}),
    "device": (["--device", "cuda"], {"device": "cuda"}),
    "out": (["--out", "here"], {"out": Path("here")}),
    "config": (["--config", "settings.toml"], {"seed": 5, "ftpo": {"epochs": 7}}),
    "set": (["--set", "ftpo.epochs=9", "--set", "strength=0.3"], {"ftpo": {"epochs": 9}, "strength": 0.3}),
}
QUICK = ["--set", "ftpo.epochs=1", "--quiet"]


@pytest.fixture
def points(tmp_path: Path) -> str:
    """Twelve texts, of which one is held out."""
    point = Point(position=4, rejected=40, chosen=(60,), chosen_probs=(), rule="lily")
    rows = [
        TokenPreferences(generation_id=f"{at:02}", token_ids=(5, 6, 7, 8 + at, 9), prompt_length=2, points=(point,))
        for at in range(12)
    ]
    write_records(tmp_path / "points.jsonl", rows)
    return "points.jsonl"


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    write_records(tmp_path / "pairs.jsonl", [CompletionPreference.between(opening("Why "), "yes", "no", (1, 0))] * 3)
    return "pairs.jsonl"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the recipe was called with."""
    return fake_recipe("train", monkeypatch)


def test_there_is_a_case_for_every_flag() -> None:
    assert list(FLAGS) == [name for name in TrainFlags.__dataclass_fields__ if name not in ("dry_run", "json", "quiet")]


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_reaches_the_recipe(flag: str, planish: Planish, given: dict[str, Any]) -> None:
    Path("settings.toml").write_text("seed = 5\n\n[ftpo]\nepochs = 7\n")
    typed, told = FLAGS[flag]
    assert planish("train", "ftpo", "rows.jsonl", "tiny", *typed).code == 0
    del given["listener"]
    named = {"tuner": "ftpo", "data": "rows.jsonl", "model": "tiny"}
    assert given == {**named, "out": Path("runs/train-tiny"), **told}


def test_json_is_the_evidence_and_nothing_else(planish: Planish, points: str) -> None:
    ended = planish("train", "ftpo", points, "tiny", *QUICK, "--json", "--out", "run")
    assert ended.code == 0
    printed = json.loads(ended.out)
    assert [line["name"] for line in printed["evidence"]] == ["win_rate", "mean_gap", "kl_per_token"]
    assert printed["run"] == "run"
    again = planish("resume", "run", "--json", "--quiet")
    assert (again.code, json.loads(again.out)) == (0, printed)


def test_the_table_says_where_the_model_is(planish: Planish, points: str) -> None:
    ended = planish("train", "ftpo", points, "tiny", *QUICK)
    assert ended.code == 0
    assert "win_rate" in ended.out
    assert Path(ended.out.splitlines()[-1].removeprefix("model: "), "config.json").is_file()
    assert tomllib.loads(Path("runs/train-tiny/config.toml").read_text())["recipe"] == "train"


@pytest.mark.parametrize("tuner", ["ftpo", "dpo", "sft"])
def test_a_dry_run_says_what_it_takes_and_writes_nothing(planish: Planish, points: str, pairs: str, tuner: str) -> None:
    before = sorted(Path().iterdir())
    rows = points if tuner == "ftpo" else pairs
    ended = planish("train", tuner, rows, "tiny", "--dry-run", "--out", "run")
    assert ended.code == 0
    starts = [line.partition(":")[0] for line in ended.out.splitlines()]
    assert starts[-5:] == ["trained", "read", "steps", "memory", "time"]
    printed = json.loads(planish("train", tuner, rows, "tiny", "--dry-run", "--json").out)
    assert f"trained: {printed['estimate']['trained']:,} parameters" in ended.out
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "rows.jsonl is empty"),
        ("\n \n", "rows.jsonl is empty"),
        ("not json\n", "rows.jsonl, line 1"),
        ('{"text": "a"}\n', "rows.jsonl, line 1"),
        ('{"token_ids": [3], "points": []}\n', "generation_id"),
    ],
)
def test_rows_that_cannot_be_used_are_named(planish: Planish, content: str, named: str) -> None:
    Path("rows.jsonl").write_text(content)
    for flags in ([], ["--dry-run"]):
        assert named in planish.fails(1, "train", "ftpo", "rows.jsonl", "tiny", *flags)
    assert not Path("runs").exists()


def test_a_file_that_is_not_there_is_named(planish: Planish) -> None:
    assert "nowhere.jsonl" in planish.fails(1, "train", "ftpo", "nowhere.jsonl", "tiny")
    assert not Path("runs").exists()


def test_rows_for_another_tuner_say_which_one(planish: Planish, points: str, pairs: str) -> None:
    assert f"planish train dpo {pairs} MODEL" in planish.fails(2, "train", "ftpo", pairs, "tiny")
    assert f"planish train ftpo {points} MODEL" in planish.fails(2, "train", "sft", points, "tiny")


def test_an_unknown_setting_is_named_with_the_nearest(planish: Planish, points: str) -> None:
    error = planish.fails(2, "train", "ftpo", points, "tiny", "--set", "ftpo.margn=1")
    assert "'ftpo.margin'" in error
    assert planish("train", "tagging", points, "tiny").code == 2
    assert "q9_9" in planish.fails(2, "train", "ftpo", points, "tiny", "--gguf", "q9_9")


def test_nothing_left_after_balancing_says_why(planish: Planish, points: str) -> None:
    tight = ["--set", "ftpo.balance.least_chosen=2"]
    for flags in ([], ["--dry-run"]):
        error = planish.fails(1, "train", "ftpo", points, "tiny", *tight, *flags)
        assert "12 × too few chosen tokens" in error
    assert not Path("runs").exists()


def test_what_cannot_be_exported_is_refused_before_it_trains(
    planish: Planish, points: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    monkeypatch.setenv("PATH", "")
    assert "convert_hf_to_gguf.py" in planish.fails(1, "train", "ftpo", points, "tiny", "--gguf", "q8_0")
    assert "--no-merge" in planish.fails(2, "train", "ftpo", points, "tiny", "--gguf", "q8_0", "--no-merge")
    assert not Path("runs").exists()


@pytest.mark.parametrize("flag", ["--push", "--push-data"])
def test_what_cannot_be_uploaded_is_refused_before_it_trains(
    planish: Planish, points: str, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "HF_TOKEN" in planish.fails(2, "train", "ftpo", points, "tiny", flag, "ann/smooth")
    assert "'smooth'" in planish.fails(2, "train", "ftpo", points, "tiny", flag, "smooth")
    assert not Path("runs").exists()


def test_a_run_of_another_recipe_is_left_alone(planish: Planish, points: str) -> None:
    quick = ["--limit", 6, "--samples", 1, "--max-tokens", 3, "--until", "write"]
    assert planish("antislop", "tiny", *quick, "--out", "run").code == 0
    assert "antislop" in planish.fails(2, "train", "ftpo", points, "tiny", *QUICK, "--out", "run")
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    assert "notes.txt" in planish.fails(2, "train", "ftpo", points, "tiny", *QUICK, "--out", "mine")


def test_several_processes_must_know_where_the_run_is(
    planish: Planish, points: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "--out" in planish.fails(2, "train", "ftpo", points, "tiny")
