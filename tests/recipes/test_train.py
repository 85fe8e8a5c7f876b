"""Training on preferences that are there already: what it leaves, and that nothing stops it for good."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from antislop_run import contents
from safetensors.torch import load_file
from torch import Tensor
from train_rows import some_points, write_pairs, write_points

import planish
from planish.errors import DataError, PlanishError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.recipes.made_model import made_model
from planish.recipes.outcome import Outcome
from planish.recipes.train_data import data_file
from planish.recipes.training import checkpoint_folder
from planish.records.preference import TokenPreferences
from planish.records.record import read_records, write_records
from planish.runs.event import RunEvent
from planish.runs.interrupt import Interrupted
from planish.train.adapter import load_adapter
from planish.train.ftpo import hold_out
from planish.train.ftpo_export import export_ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.training import Tuned

QUICK: dict[str, Any] = {"ftpo": {"epochs": 2, "step_points": 20, "enough": 1.0, "learning_rate": 0.01}}
IDS = torch.arange(3, 60)[None]
# Saved after every step, and long enough to be killed in the middle of it.
LONG = ["ftpo.epochs=12", "ftpo.step_points=10", "ftpo.enough=1", "ftpo.save_every_min=1e-9", "ftpo.most_drift=1e9"]
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def trained(folder: Path, tuner: str = "ftpo", model: str = "tiny", **settings: Any) -> Outcome:
    """A run on the rows that the tuner takes."""
    rows = folder.with_suffix(".jsonl")
    if not rows.exists():
        (write_points if tuner == "ftpo" else write_pairs)(rows)
    return planish.train_model(model, str(rows), tuner, folder, **{**QUICK, **settings})


def logits(model: LanguageModel) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.model(input_ids=IDS).logits
    return found


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_the_merged_model_is_the_model_with_the_adapter(strength: float, tiny: LanguageModel, tmp_path: Path) -> None:
    tiny.save(tmp_path / "model")
    wanted = None
    # A model in a folder is merged file by file, the tiny one in memory.
    for name in ("tiny", str(tmp_path / "model")):
        outcome = trained(tmp_path / f"run-{len(name)}", model=name, strength=strength)
        assert outcome.adapter is not None
        assert outcome.folder is not None
        merged = load_model(made_model(str(outcome.folder), tmp_path))
        whole = load_adapter(tiny, outcome.folder / "stages/2-train/made/adapter")
        wanted = logits(whole.merged(strength))
        torch.testing.assert_close(logits(merged), wanted, rtol=0, atol=1e-5)
        torch.testing.assert_close(logits(load_adapter(tiny, outcome.adapter).merged()), wanted, rtol=0, atol=1e-5)
        assert not torch.allclose(wanted, logits(tiny), atol=1e-2)


def test_without_a_merge_only_the_adapter_is_kept(tmp_path: Path) -> None:
    outcome = trained(tmp_path / "run", merge=False)
    assert outcome.adapter is not None
    assert sorted(path.name for path in outcome.adapter.parent.iterdir()) == ["README.md", "adapter"]


def test_the_evidence_is_of_points_that_were_not_trained_on(tmp_path: Path) -> None:
    outcome = trained(tmp_path / "run")
    judging = {path.generation_id for path in hold_out(some_points())[1]}
    by_name = {line.name: line for line in outcome.evidence}
    assert list(by_name) == ["win_rate", "mean_gap", "kl_per_token"]
    assert {line.n for line in outcome.evidence} == {len(judging)} == {3}
    gaps: list[Any] = [gap for gap in outcome.rows["gaps"] if getattr(gap, "generation_id", "") in judging]
    assert by_name["mean_gap"].before == pytest.approx(fmean([gap.before for gap in gaps]), abs=1e-4)
    assert by_name["mean_gap"].after == pytest.approx(fmean([gap.after for gap in gaps]), abs=1e-4)
    assert by_name["mean_gap"].after > by_name["mean_gap"].before
    assert by_name["win_rate"].after > by_name["win_rate"].before
    assert by_name["kl_per_token"].after > 0


def test_a_weaker_adapter_moves_points_less(tmp_path: Path) -> None:
    moved = []
    for strength in (0.5, 1.0):
        gap = trained(tmp_path / f"run-{strength}", strength=strength).evidence[1]
        moved.append(gap.difference)
    assert 0 < moved[0] < moved[1]


@pytest.mark.parametrize("tuner", ["dpo", "sft"])
def test_texts_are_trained_on_too(tuner: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {tuner: {"epochs": 4, "learning_rate": 0.01, "batch_size": 4}}
    outcome = trained(tmp_path / "run", tuner, **settings)
    (line,) = [note for note in outcome.notes if "loss: " in note]
    first, last = (float(part.split()[0]) for part in line.split("loss: ")[1].split(", "))
    assert last < first
    assert "of 8 steps" in line or tuner == "sft"
    assert outcome.adapter is not None


def test_points_can_be_pairs_for_dpo(tmp_path: Path) -> None:
    rows = write_points(tmp_path / "points.jsonl", texts=4)
    outcome = planish.train_model("tiny", rows, "dpo", tmp_path / "run", dpo={"epochs": 1})
    assert len(outcome.rows["data"]) == 4


def test_rows_of_other_tools_are_read_and_what_was_dropped_is_kept(tiny: LanguageModel, tmp_path: Path) -> None:
    rows = tmp_path / "run.jsonl"
    written = [path.model_copy(update={"token_ids": tuple(40 + at for at in range(24))}) for path in some_points(1)]
    exported = export_ftpo(rows, written, tiny)
    assert exported.rows == 3
    with rows.open("a") as file:
        file.write('{"context_with_chat_template": "x", "rejected_decoded": "no token"}\n')
    outcome = trained(tmp_path / "run")
    (kept,) = map(json.loads, (tmp_path / "run/left_out.jsonl").read_text().splitlines())
    assert (kept["what"], kept["times"], kept["first_line"]) == ("row", 1, 4)
    assert any(kept["reason"] in note for note in outcome.notes)
    assert (
        sum(len(row.points) for row in read_records(tmp_path / "run/stages/1-data/rows.jsonl", TokenPreferences)) == 3
    )


def test_a_run_that_mined_is_named_as_data(tmp_path: Path) -> None:
    stage = tmp_path / "runs/slop/stages/4-mine"
    stage.mkdir(parents=True)
    (tmp_path / "runs/slop/config.toml").write_text("recipe = 'antislop'\n")
    with pytest.raises(UsageError, match="mined no preferences"):
        data_file("slop", tmp_path / "runs")
    (stage / "done.json").write_text("{}")
    for name in ("slop", str(tmp_path / "runs/slop"), "latest"):
        assert data_file(name, tmp_path / "runs") == stage / "rows.jsonl"
    assert data_file("rows.jsonl", tmp_path / "runs") == Path("rows.jsonl")


class PowerCutError(Exception):
    pass


def test_a_run_stopped_after_any_stage_goes_on_to_the_same_files(tmp_path: Path) -> None:
    rows = write_points(tmp_path / "points.jsonl")
    ended: list[str] = []

    def cut(event: RunEvent) -> None:
        if event.kind == "end" and event.stage not in ended:
            ended.append(event.stage)
            raise PowerCutError

    whole = planish.train_model("tiny", rows, out=tmp_path / "whole", **QUICK)
    with pytest.raises(PowerCutError):
        planish.train_model("tiny", rows, out=tmp_path / "run", listener=cut, **QUICK)
    for _ in range(4):
        with pytest.raises(PowerCutError):
            planish.resume(tmp_path / "run", cut)
    outcome = planish.resume(tmp_path / "run", cut)
    assert ended == ["data", "train", "gaps", "evidence", "model"]
    assert outcome.evidence == whole.evidence
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_what_was_saved_under_other_settings_is_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, tuned: Tuned) -> None:
        raise RuntimeError("killed")

    saved = {**QUICK["ftpo"], "save_every_min": 1e-9}
    with monkeypatch.context() as patch:
        patch.setattr("planish.recipes.train.write_training", killed)
        with pytest.raises(RuntimeError, match="killed"):
            trained(tmp_path / "run", ftpo=saved)
    assert list((tmp_path / "run" / "checkpoints").rglob("checkpoint-*"))

    smaller = {**saved, "adapter": {"rank": 2}}
    assert trained(tmp_path / "run", ftpo=smaller).evidence == trained(tmp_path / "fresh", ftpo=smaller).evidence
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_ctrl_c_stops_a_training_after_the_step_and_it_goes_on_from_there(tmp_path: Path) -> None:
    whole: dict[str, Any] = {"ftpo": {**QUICK["ftpo"], "epochs": 6}}
    path = tmp_path / "run"
    points = write_points(path.with_suffix(".jsonl"))
    saved: list[Path] = []

    def interrupt(event: RunEvent) -> None:
        if (event.kind, event.stage) == ("begin", "train"):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        planish.train_model("tiny", points, "ftpo", path, interrupt, **whole)
    saved += (path / "checkpoints").rglob("checkpoint-*")
    assert [folder.name for folder in saved] == ["checkpoint-1"]
    resumed = trained(path, **whole)
    assert resumed.evidence == trained(tmp_path / "fresh", **whole).evidence
    assert same_bytes(path, tmp_path / "fresh")


def test_an_adapter_says_nothing_of_the_machine_it_was_made_on(tiny: LanguageModel, tmp_path: Path) -> None:
    tiny.save(tmp_path / "model")
    outcome = trained(tmp_path / "run", model=str(tmp_path / "model"))
    assert outcome.adapter is not None
    assert sorted(path.name for path in outcome.adapter.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert str(tmp_path) not in (outcome.adapter / "adapter_config.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("settings", [{"strength": float("inf")}, {"ftpo": {"learning_rate": float("inf")}}])
def test_what_is_no_number_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="finite"):
        trained(tmp_path / "run", **settings)


def test_settings_that_change_nothing_do_not_begin_a_training_anew() -> None:
    plain = FtpoSettings()
    same = plain.model_copy(update={"pass_tokens": 512, "save_every_min": 1.0, "checkpoint_activations": True})
    other = plain.model_copy(update={"epochs": 7})
    folders = [checkpoint_folder(Path("run"), settings) for settings in (plain, same, other)]
    assert folders[0] == folders[1] != folders[2]


def test_a_model_whose_training_was_not_measured_has_a_card_that_says_so(tmp_path: Path) -> None:
    outcome = trained(tmp_path / "run", "sft", sft={"epochs": 1})
    assert outcome.adapter is not None
    card = (outcome.adapter.parent / "README.md").read_text(encoding="utf-8")
    assert "not measured" in card
    assert "planish train sft" in card


def test_a_run_does_not_go_on_with_other_rows(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    write_points(tmp_path / "run.jsonl", texts=29)
    with pytest.raises(UsageError, match=r"fingerprint\.data"):
        planish.resume(tmp_path / "run")
    with pytest.raises(UsageError, match="no stage"):
        planish.resume(tmp_path / "run", until="mine")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"token_ids": (3, 999)}, "row 1: there is no token 999"),
        ({"token_ids": (3, 4)}, "row 1: a point stands at 6"),
    ],
)
def test_rows_of_another_model_are_refused(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    write_records(tmp_path / "run.jsonl", [path.model_copy(update=change) for path in some_points(1)])
    with pytest.raises(DataError, match=named):
        trained(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_uploaded_is_the_model_and_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: dict[str, tuple[list[str], bool]] = {}

    def push(folder: Path, repo: str, kind: str, private: bool) -> str:
        pushed[f"{kind} {repo}"] = (sorted(path.name for path in folder.iterdir()), private)
        return f"https://hub/{repo}"

    monkeypatch.setattr("planish.recipes.train.push_folder", push)
    monkeypatch.setenv("HF_TOKEN", "hf_" + "q" * 34)
    trained(tmp_path / "quiet")
    assert pushed == {}
    outcome = trained(tmp_path / "run", push="ann/smooth", push_data="ann/rows")
    assert {"config.json", "adapter", "README.md"} <= set(pushed["model ann/smooth"][0])
    assert pushed["dataset ann/rows"] == (["README.md", "rows.jsonl"], True)
    assert any("https://hub/ann/smooth" in note for note in outcome.notes)


def test_a_run_without_a_token_is_refused_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(PlanishError, match="without a token"):
        trained(tmp_path / "run", push="ann/smooth")
    assert not (tmp_path / "run").exists()


def command(rows: str, out: Path, *settings: str) -> list[str]:
    given = [part for setting in settings for part in ("--set", setting)]
    return ["-m", "planish.cli", "train", "ftpo", rows, "tiny", "--device", "cpu", "--out", str(out), *given]


def same_bytes(first: Path, second: Path) -> bool:
    """Whether two runs ended with the same trained weights."""
    weights = "stages/2-train/made/adapter/adapter_model.safetensors"
    return (first / weights).read_bytes() == (second / weights).read_bytes()


def adapter_of(run: Path) -> dict[str, Tensor]:
    return dict(load_file(run / "stages/2-train/made/adapter/adapter_model.safetensors"))


@pytest.mark.slow
def test_killed_while_it_trains_it_goes_on_to_the_same_adapter(tmp_path: Path) -> None:
    rows = write_points(tmp_path / "points.jsonl")
    whole = [sys.executable, *command(rows, tmp_path / "whole", *LONG)]
    subprocess.run(whole, check=True, env=ENVIRONMENT, capture_output=True)  # noqa: S603 - our own command
    again = [sys.executable, *command(rows, tmp_path / "run", *LONG)]
    with subprocess.Popen(again, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - as above
        # Steps are saved one by one, and the last one is far.
        while process.poll() is None and not any((tmp_path / "run/checkpoints").rglob("checkpoint-2[0-9]")):
            time.sleep(0.005)
        process.kill()
    assert not (tmp_path / "run/stages/2-train/done.json").exists()
    done = subprocess.run(again, check=False, env=ENVIRONMENT, capture_output=True, text=True)  # noqa: S603 - as above
    assert done.returncode == 0, done.stderr
    first, second = adapter_of(tmp_path / "whole"), adapter_of(tmp_path / "run")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_make_one_run_and_the_same_adapter(tmp_path: Path) -> None:
    rows = write_points(tmp_path / "points.jsonl")
    settings = ("ftpo.epochs=2", "ftpo.step_points=20", "ftpo.enough=1")
    launch = ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    for name, before in (("one", []), ("two", launch)):
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, *before, *command(rows, tmp_path / name, *settings)],
            check=False,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count("win_rate") == 1
    first, second = adapter_of(tmp_path / "one"), adapter_of(tmp_path / "two")
    assert all(torch.allclose(first[name], second[name], rtol=0, atol=1e-4) for name in first)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["one", "two"]
    starts = (tmp_path / "two/events.jsonl").read_text().count('"kind": "start"')
    assert starts == 1
