"""The attacks are real: they come through where nothing holds them, and the WebAssembly sandbox holds them all."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import pytest

import planish
from planish.sandbox import attacks, guest
from planish.sandbox.attack_list import ATTACKS
from planish.sandbox.attacks import attack
from planish.sandbox.job import Answer, Job, Limits
from planish.sandbox.wasm import WasmSandbox
from planish.sandbox.wasm_image import compiled_image

LIMITS = Limits(call_s=0.1)
NOBODY = 65534
# Those that do no harm where nothing holds them, and are quickly over.
TAME = {
    "connect", "daemon", "datagram", "environment", "forks", "frames", "link", "list", "native-calls", "passwords",
    "raw-memory", "read", "remove", "shell", "subclasses", "subprocess", "write",
}  # fmt: skip
UNHELD = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("guest", sys.argv[1])
guest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(guest)
out = sys.stdout
out.write(guest.judge(sys.stdin.read(), lambda place: None))
"""
ATTACKED_BY_NOBODY = """
import os
from planish.sandbox.attacks import attack
from planish.sandbox.job import Limits
from planish.sandbox.wasm import WasmSandbox
found = attack(WasmSandbox(Limits(call_s=0.1)))
print(os.getuid(), len(found), [one for one in found if not one.contained])
"""


class Unheld:
    """A Python process, and nothing around it."""

    name = "unheld"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def run(self, jobs: Sequence[Job]) -> list[list[Answer]]:
        return [self._judge(job) for job in jobs]

    def _judge(self, job: Job) -> list[Answer]:
        request = json.dumps({"source": job.source, "texts": job.texts, "nonce": ""})
        ended = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", UNHELD, guest.__file__], input=request, capture_output=True, text=True, check=True
        )
        return [Answer(*answer) for answer in json.loads(ended.stdout)["answers"]]


@pytest.mark.skipif(sys.platform != "linux", reason="they are written for Linux")
def test_an_attack_that_nothing_holds_is_seen_to_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    tame = [one for one in ATTACKS if one.name in TAME]
    assert {one.name for one in tame} == TAME
    monkeypatch.setattr(attacks, "ATTACKS", tame)
    assert {one.name for one in attack(Unheld()) if one.contained} == set()


def test_the_list_is_long_and_its_names_are_its_own() -> None:
    assert len(ATTACKS) >= 33
    assert len({one.name for one in ATTACKS}) == len(ATTACKS)


def test_every_attack_is_python_that_defines_a_verifier() -> None:
    for one in ATTACKS:
        assert "def evaluate(response):" in one.source
        compile(one.source, one.name, "exec")


def test_a_lie_about_the_number_of_answers_is_no_containment(monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubling(Unheld):
        def _judge(self, job: Job) -> list[Answer]:
            return super()._judge(job) * (1 + ("SystemExit" in job.source or "sys.exit" in job.source))

    monkeypatch.setattr(attacks, "ATTACKS", [one for one in ATTACKS if one.name == "exit"])
    assert [one.contained for one in attack(Doubling())] == [False, True]


@pytest.mark.skipif(bool(WasmSandbox.missing()), reason=f"this machine lacks {WasmSandbox.missing()}")
def test_webassembly_contains_every_attack() -> None:
    found = attack(WasmSandbox(LIMITS))
    assert len(found) == len(ATTACKS) + 1
    assert [one for one in found if not one.contained] == []


@pytest.mark.skipif(bool(WasmSandbox.missing()), reason=f"this machine lacks {WasmSandbox.missing()}")
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
def test_webassembly_contains_every_attack_where_an_ordinary_user_runs_it() -> None:
    with TemporaryDirectory() as home:
        cache = Path(home) / "sandbox"
        cache.mkdir()
        shutil.copy(compiled_image(print), cache)
        for path in (Path(home), cache, *cache.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        packages = {str(Path(planish.__file__).parents[1]), *(path for path in sys.path if "-packages" in path)}
        ended = said_by_nobody({"PLANISH_CACHE": home, "PYTHONPATH": os.pathsep.join(packages)})
    user, many, *harmful = ended.split(maxsplit=2)
    assert (int(user), int(many), harmful) == (NOBODY, len(ATTACKS) + 1, ["[]"])


def said_by_nobody(env: dict[str, str]) -> str:
    """What the attack prints, by the first Python of this version that this user may run."""
    who: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/", "env": env}
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in filter(None, (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin"))):
        try:
            ended = subprocess.run(  # noqa: S603 - our own command
                [python, "-c", ATTACKED_BY_NOBODY], capture_output=True, text=True, check=False, **who
            )
        except OSError:
            continue
        assert ended.returncode == 0, ended.stderr
        return str(ended.stdout).strip()
    pytest.skip("no Python that the user nobody may run")
