import json
from pathlib import Path

import pytest
from story_run import CONFIG, Line, block, story_run

from planish.errors import UsageError
from planish.runs.catalogue import find_run, list_runs, new_run_folder, summarise
from planish.runs.run import Run


def start(folder: Path) -> Run:
    return Run.start(folder, "story", CONFIG, {})


def set_started(folder: Path, time: str) -> None:
    path = folder / "provenance.json"
    provenance = json.loads(path.read_text())
    provenance["attempts"][0]["started"] = time
    path.write_text(json.dumps(provenance))


def test_a_finished_run_is_done(tmp_path: Path) -> None:
    story_run(tmp_path)
    run = summarise(tmp_path)
    assert (run.recipe, run.state, run.progress) == ("story", "done", "3 stages done")


def test_a_run_that_is_being_written_is_running(tmp_path: Path) -> None:
    with start(tmp_path):
        assert summarise(tmp_path).state == "running"
    assert summarise(tmp_path).state == "stopped"


def test_a_run_that_ended_with_an_error_has_failed_until_it_goes_on(tmp_path: Path) -> None:
    def fail_behind_the_third(_first: int):  # type: ignore[no-untyped-def]
        yield from (block(number) for number in range(3))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), start(tmp_path) as run:
        run.rows("plain", Line, fail_behind_the_third)
    found = summarise(tmp_path)
    assert (found.state, found.progress) == ("failed", "0 stages done, 3 rows in plain")
    with start(tmp_path):
        assert summarise(tmp_path).state == "running"
    assert summarise(tmp_path).state == "stopped"


def test_runs_are_listed_by_their_start_and_other_folders_are_not(tmp_path: Path) -> None:
    for name, time in (("b", "2026-01-01"), ("a", "2026-01-03"), ("c", "2026-01-02")):
        start(tmp_path / name)
        set_started(tmp_path / name, time)
    (tmp_path / "notes").mkdir()
    assert [run.folder.name for run in list_runs(tmp_path)] == ["b", "c", "a"]
    assert find_run("latest", tmp_path) == tmp_path / "a"
    assert list_runs(tmp_path / "absent") == []


def test_a_run_with_damaged_settings_does_not_hide_the_others(tmp_path: Path) -> None:
    for name in ("whole", "damaged"):
        start(tmp_path / name)
    (tmp_path / "damaged" / "config.toml").write_text("recipe =")
    runs = {run.folder.name: run for run in list_runs(tmp_path)}
    assert runs["whole"].recipe == "story"
    assert runs["damaged"].state == "failed"
    assert "config.toml" in runs["damaged"].progress


def test_a_run_is_found_by_its_folder_and_by_its_name(tmp_path: Path) -> None:
    start(tmp_path / "antislop-tiny")
    assert find_run(str(tmp_path / "antislop-tiny"), tmp_path / "elsewhere") == tmp_path / "antislop-tiny"
    assert find_run("antislop-tiny", tmp_path) == tmp_path / "antislop-tiny"


@pytest.mark.parametrize("name", ["antislop-tyni", "poem"])
def test_an_unknown_run_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    start(tmp_path / "antislop-tiny")
    with pytest.raises(UsageError, match=name) as caught:
        find_run(name, tmp_path)
    assert "antislop-tiny" in caught.value.hint


def test_without_runs_there_is_no_latest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="latest") as caught:
        find_run("latest", tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen3-4B-Instruct-2507", "antislop-qwen3-4b-instruct-2507"),
        ("../shared/models/stories260k/", "antislop-stories260k"),
        ("..", "antislop-model"),
        ("my model!", "antislop-my-model"),
    ],
)
def test_a_new_name_is_readable_and_unused(tmp_path: Path, model: str, name: str) -> None:
    for expected in (name, f"{name}-2", f"{name}-3"):
        folder = new_run_folder(tmp_path, "antislop", model)
        assert folder == tmp_path / expected
        folder.mkdir()
