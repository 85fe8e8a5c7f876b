"""`planish resume` and `planish ls`."""

from pathlib import Path

import pytest
from in_process import Planish

QUICK = ["--limit", 6, "--samples", 1, "--max-tokens", 3, "--until", "write"]


def test_there_is_nothing_to_resume(planish: Planish) -> None:
    for name in ([], ["latest"], ["antislop-tiny"]):
        assert "there is no run" in planish.fails(2, "resume", *name)


def test_a_run_is_resumed_by_its_folder_its_name_or_as_the_latest(planish: Planish) -> None:
    assert planish("antislop", "tiny", *QUICK).code == 0
    first = planish("antislop", "tiny", *QUICK, "--seed", 1)
    assert "runs/antislop-tiny-2" in first.out
    for name in ("runs/antislop-tiny-2", "antislop-tiny-2", "latest"):
        again = planish("resume", name, "--until", "write")
        assert (again.code, again.out) == (0, first.out)
    assert "'antislop-tiny'" in planish.fails(2, "resume", "antislop-tini")


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (None, "foreign"),
        ("colour = 'red'\n", "'colour'"),
        ("recipe = 'rectify'\nmodel = 'tiny'\n", "rectify"),
        ("not toml", "config.toml"),
        ("recipe = 'antislop'\n", "model"),
    ],
)
def test_a_foreign_folder_is_not_resumed(planish: Planish, config: str | None, named: str) -> None:
    Path("foreign").mkdir()
    Path("foreign/notes.txt").write_text("mine")
    if config is not None:
        Path("foreign/config.toml").write_text(config)
    before = sorted(Path("foreign").iterdir())
    ended = planish("resume", "foreign")
    assert ended.code in (1, 2)
    assert ended.out == ""
    assert named in ended.err
    assert "  next: " in ended.err
    assert "Traceback" not in ended.err
    assert sorted(Path("foreign").iterdir()) == before


def test_runs_are_listed_the_earliest_first(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert planish("ls").out == "no runs in runs\n"
    for name in ("second", "first[x]"):
        assert planish("antislop", "tiny", *QUICK, "--out", f"runs/{name}").code == 0
    (Path("runs") / "no-run").mkdir()
    (Path("runs") / "first[x]" / "done.json").unlink()
    heading, *lines = planish("ls").out.splitlines()
    assert heading.split() == ["run", "recipe", "state", "progress", "started"]
    assert [line.split()[:3] for line in lines] == [["second", "antislop", "done"], ["first[x]", "antislop", "stopped"]]
    assert all("1 stage done" in line for line in lines)
