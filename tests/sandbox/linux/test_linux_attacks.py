"""Every attack of the list is contained, whoever runs the sandbox."""

import os

import pytest
from fresh_process import nobody, python_for, said_by

from planish.sandbox.attacks import attack
from planish.sandbox.job import Limits
from planish.sandbox.linux import LinuxSandbox

pytestmark = pytest.mark.skipif(bool(LinuxSandbox.missing()), reason=f"this machine lacks {LinuxSandbox.missing()}")

LIMITS = Limits(call_s=0.3, memory_mib=128)
SCRIPT = f"""
from planish.sandbox.attacks import attack
from planish.sandbox.job import Limits
from planish.sandbox.linux import LinuxSandbox
found = attack(LinuxSandbox(Limits{tuple(LIMITS)!r}))
print(os.getuid(), len(found), *[one for one in found if not one.contained])
"""


def test_every_attack_is_contained() -> None:
    found = attack(LinuxSandbox(LIMITS))
    assert len(found) > 30
    assert [one for one in found if not one.contained] == []


def test_every_attack_is_contained_where_an_ordinary_user_runs_it() -> None:
    who = nobody()
    python = python_for(who)
    if not python:
        pytest.skip("no Python that the user nobody may run")
    user, many, *harmful = said_by(SCRIPT, python=python, **who).split(maxsplit=2)
    assert int(user) == who.get("user", os.getuid())
    assert int(many) > 30
    assert harmful == []
