import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from story_run import CONFIG, Line, block, blocks, contents, make_model, story_run

from planish.errors import DataError, PlanishError, UsageError
from planish.runs.event import RunEvent
from planish.runs.run import Run


def start(folder: Path, **changed: object) -> Run:
    return Run.start(folder, "story", {**CONFIG, **changed}, {})


def test_the_settings_come_back_as_they_were_given(tmp_path: Path) -> None:
    start(tmp_path / "run")
    assert Run.read_config(tmp_path / "run") == {
        "recipe": "story",
        "model": "stories260k",
        "seed": 7,
        "sampling": {"top_p": 0.9},
    }


def test_a_finished_run_makes_nothing_again_and_changes_nothing(tmp_path: Path) -> None:
    story_run(tmp_path)
    before = contents(tmp_path)
    with start(tmp_path) as run:
        assert run.is_done
        rows = run.rows("plain", Line, lambda _: pytest.fail("rows were made again"))
        run.folder("tuned", lambda _: pytest.fail("a folder was made again"))
    assert rows == [row for number in range(5) for row in block(number)]
    assert contents(tmp_path) == before
    assert {"config.toml", "done.json", "report.txt", "stages/1-plain/rows.jsonl", "stages/2-tuned/done.json"} < set(
        before
    )


def test_other_settings_are_refused_by_name_with_both_values(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(UsageError) as caught:
        start(tmp_path, seed=8, limit=20, sampling={"top_p": 0.5})
    assert "seed was 7, now 8" in caught.value.message
    assert "sampling.top_p was 0.9, now 0.5" in caught.value.message
    assert "limit was not set, now 20" in caught.value.message
    assert "model" not in caught.value.message.removeprefix(str(tmp_path))


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(UsageError, match='recipe was "story", now "poem"'):
        Run.start(tmp_path, "poem", CONFIG, {})


def test_a_run_has_one_writer(tmp_path: Path) -> None:
    with start(tmp_path), pytest.raises(UsageError, match=f"is being written by process {os.getpid()}"):
        start(tmp_path)
    with start(tmp_path):
        pass


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file.* cannot be written") as caught:
        start(tmp_path / "file" / "run")
    assert "--out" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(UsageError, match=f"{tmp_path}.* cannot be written"):
        start(tmp_path / "run")


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the disk is full, the run goes on once there is space, and ends as if there always had been."""
    story_run(tmp_path / "roomy")
    sync, space = os.fsync, 0

    def sync_while_there_is_space(descriptor: int) -> None:
        nonlocal space
        space -= 1
        if space < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr("os.fsync", sync_while_there_is_space)
    for space_at_first in range(1, 100, 4):
        space = space_at_first
        with suppress(PlanishError):
            story_run(tmp_path / "full")
            break
    assert space_at_first > 5
    assert contents(tmp_path / "full") == contents(tmp_path / "roomy")


def test_a_full_disk_is_named_with_the_way_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with start(tmp_path) as run:
        monkeypatch.setattr("os.fsync", refuse)
        with pytest.raises(PlanishError, match="full") as caught:
            run.rows("plain", Line, blocks)
    assert caught.value.exit_code == 1
    assert caught.value.hint.endswith(f"planish resume {tmp_path}")


def test_a_disk_that_fills_while_a_library_saves_a_model_is_named(tmp_path: Path) -> None:
    def save(_: Path) -> None:
        raise RuntimeError("I/O error: No space left on device (os error 28)")

    with pytest.raises(PlanishError, match=r"disk of .* is full"), start(tmp_path) as run:
        run.folder("tuned", save)


def test_an_error_of_the_recipe_is_passed_on_and_noted_and_what_was_finished_is_kept(tmp_path: Path) -> None:
    def broken(first: int) -> list[list[Line]]:
        raise ZeroDivisionError(f"in block {first}")

    def recipe(run: Run) -> None:
        with run:
            run.rows("plain", Line, blocks)
            run.rows("after", Line, broken)

    with pytest.raises(ZeroDivisionError):
        recipe(start(tmp_path))
    last = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert (last["kind"], last["stage"]) == ("failed", "after")
    assert last["figures"]["error"] == "ZeroDivisionError: in block 0"
    with start(tmp_path) as run:
        run.rows("plain", Line, lambda _: pytest.fail("rows were made again"))


def test_a_recipe_with_other_stages_is_refused(tmp_path: Path) -> None:
    with start(tmp_path) as run:
        run.rows("plain", Line, blocks)
        run.folder("tuned", make_model)

    def renamed(run: Run) -> object:
        return run.rows("simple", Line, blocks)

    def reordered(run: Run) -> object:
        return run.folder("tuned", make_model)

    changes: list[Callable[[Run], object]] = [renamed, reordered]
    for change in changes:
        with pytest.raises(DataError, match="this version of the recipe"), start(tmp_path) as run:
            change(run)


def test_a_finished_stage_whose_rows_were_changed_is_refused(tmp_path: Path) -> None:
    story_run(tmp_path)
    path = tmp_path / "stages" / "1-plain" / "rows.jsonl"
    path.write_bytes(path.read_bytes().replace(b"2", b"3"))
    with pytest.raises(DataError, match=r"1-plain.*was changed"), start(tmp_path) as run:
        run.rows("plain", Line, blocks)


def test_events_are_written_and_told_alike(tmp_path: Path) -> None:
    told: list[RunEvent] = []
    with Run.start(tmp_path, "story", CONFIG, {}, told.append) as run:
        run.rows("plain", Line, blocks)
        run.say("speed", tokens_per_s=12.5)
    written = [RunEvent(**json.loads(line)) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert written == told
    assert (told[-1].kind, told[-1].stage, told[-1].figures) == ("speed", "plain", {"tokens_per_s": 12.5})
    assert [event.figures["blocks"] for event in told if event.kind == "block"] == [1, 2, 3, 4, 5]


def test_a_torn_last_event_is_dropped(tmp_path: Path) -> None:
    with start(tmp_path):
        pass
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes() + b'{"time": "2026')
    with start(tmp_path):
        pass
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()] == ["start", "start"]


def test_no_secret_reaches_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-123456789")
    with pytest.raises(UsageError, match="api_key"):
        start(tmp_path / "refused", api_key="sk-123456789")
    assert not (tmp_path / "refused").exists()
    provenance = {"server": "http://host/?key=sk-123456789", "hf_token": "hunter2"}

    def refused(_: int) -> list[list[Line]]:
        raise ValueError("401 for sk-123456789")

    with pytest.raises(ValueError, match="sk-"), Run.start(tmp_path / "run", "story", CONFIG, provenance) as run:
        run.rows("plain", Line, refused)
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert b"401 for [redacted]" in written
    assert b"123456789" not in written
    assert b"hunter2" not in written


def test_provenance_has_what_it_was_given_and_every_start(tmp_path: Path) -> None:
    for _ in range(2):
        Run.start(tmp_path, "story", CONFIG, {"model_hash": "abc"})
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["model_hash"] == "abc"
    assert len(provenance["attempts"]) == 2
    for attempt in provenance["attempts"]:
        assert {"python", "planish", "torch", "transformers"} <= set(attempt["versions"])
        assert attempt["started"]


def test_a_folder_that_is_no_run_has_no_settings(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run"):
        Run.read_config(tmp_path)


def test_a_run_that_goes_on_is_no_longer_done(tmp_path: Path) -> None:
    with start(tmp_path) as run:
        run.finish("done until plain")
    with start(tmp_path) as run:
        run.rows("plain", Line, lambda first: [block(0)][first:])
        assert not run.is_done


def test_what_may_change_is_changed_in_the_configuration(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(UsageError, match="seed"):
        start(tmp_path, seed=8)
    Run.start(tmp_path, "story", {**CONFIG, "seed": 8}, {}, changeable=("seed",))
    assert Run.read_config(tmp_path)["seed"] == 8
