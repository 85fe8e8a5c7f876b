import json
import subprocess
import sys
from importlib import metadata

import pytest
from in_process import Planish

from planish.prove import machine
from planish.prove.machine import Extra
from planish.sandbox.attacks import Contained
from planish.sandbox.sandbox import Sandbox

HELD = Contained("read", "to read a file of the user's", True, "")
BROKEN = Contained("write", "to write a file", False, "files were changed")


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Contained]]:
    """What the attacks on each sandbox come to: wasm and linux hold, and nothing else is here."""
    found = {"wasm": [HELD, HELD], "linux": [HELD, HELD]}

    def attack(sandbox: Sandbox) -> list[Contained]:
        return found[sandbox.name]

    class Opened:
        def __init__(self, name: str) -> None:
            self.name = name

    monkeypatch.setattr(machine, "attack", attack)
    monkeypatch.setattr(machine, "open_sandbox", lambda kind, _: Opened(kind))
    monkeypatch.setattr(machine, "missing_of_kinds", lambda: dict.fromkeys(found, ""))
    return found


def test_sandboxes_that_hold_are_shown_and_all_is_well(planish: Planish, outcome: dict[str, list[Contained]]) -> None:
    ended = planish("check")
    assert ended.code == 0
    assert "sandbox wasm  2 of 2 attacks contained" in ended.out
    assert "sandbox linux  2 of 2 attacks contained" in ended.out
    assert "attacking the sandbox wasm" in ended.err


def test_a_sandbox_that_does_not_hold_is_named_with_the_attack_and_fails(
    planish: Planish, outcome: dict[str, list[Contained]]
) -> None:
    outcome["linux"][1] = BROKEN
    ended = planish("check")
    assert ended.code == 1
    assert "files were changed" in ended.out
    assert "sandbox linux  1 of 2 attacks contained" in ended.out
    assert "planish: the sandbox linux does not contain: write\n  next: " in ended.err
    assert "Traceback" not in ended.err


def test_a_sandbox_that_is_not_offered_is_no_failure(
    planish: Planish, outcome: dict[str, list[Contained]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "missing_of_kinds", lambda: {"wasm": "", "linux": "a kernel with Landlock"})
    ended = planish("check")
    assert ended.code == 0
    assert "sandbox linux  needs a kernel with Landlock" in ended.out


def test_as_json_everything_is_there(planish: Planish, outcome: dict[str, list[Contained]]) -> None:
    outcome["wasm"][0] = BROKEN
    ended = planish("check", "--json")
    found = json.loads(ended.out)
    assert ended.code == 1
    assert set(found) == {"device", "extras", "sandboxes"}
    assert found["sandboxes"][0]["attacks"] == [BROKEN._asdict(), HELD._asdict()]
    assert {"train", "view"} <= {extra["name"] for extra in found["extras"]}


def test_an_extra_that_is_missing_is_shown_with_the_line_that_adds_it(
    planish: Planish, outcome: dict[str, list[Contained]], monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = (Extra("view", ("plotly",), "pip install 'planish[view]'"), Extra("train", (), "never shown"))
    monkeypatch.setattr(machine, "extras", lambda: extras)
    out = planish("check").out
    assert "pip install 'planish[view]'" in out
    assert "never shown" not in out


def test_an_extra_lacks_what_is_not_installed_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["numpy>=2", "here>=2; extra == 'some'", "old>=2; extra == 'some'", "gone; extra == 'some'"]
    required += ["elsewhere; sys_platform == 'nowhere' and extra == 'some'"]
    installed = {"here": "2.1", "old": "1.9"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    class About:
        def get_all(self, _: str) -> list[str]:
            return ["some", "dev"]

    monkeypatch.setattr(metadata, "requires", lambda _: required)
    monkeypatch.setattr(metadata, "metadata", lambda _: About())
    monkeypatch.setattr(metadata, "version", version)
    assert machine.extras() == (Extra("some", ("old", "gone"), "pip install 'planish[some]'"),)


def test_its_help_loads_nothing_heavy() -> None:
    script = "import sys; sys.argv = ['planish', 'check', '--help']\nfrom planish.cli import main\n"
    script += "try: main()\nexcept SystemExit: print(); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert {"torch", "wasmtime", "transformers"} & set(ended.stdout.splitlines()[-1].split()) == set()
