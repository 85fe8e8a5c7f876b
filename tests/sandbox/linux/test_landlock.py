"""Landlock leaves no file and no network."""

import socket
from pathlib import Path

import pytest
from fresh_process import said_by

from planish.sandbox.linux.landlock import NETWORK_SINCE, landlock_version

pytestmark = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")

CONFINE = """
from planish.sandbox.linux.kernel import no_new_privileges
from planish.sandbox.linux.landlock import allow_nothing, ruleset_that_allows_nothing
no_new_privileges()
allow_nothing(ruleset_that_allows_nothing())
"""
ATTEMPT = """
import socket
target = {target!r}
try:
    {attempt}
except PermissionError:
    print("refused")
else:
    print("done")
"""


@pytest.mark.parametrize(
    "attempt",
    [
        "open(os.path.join(target, 'here')).read()",
        "open(os.path.join(target, 'here'), 'a').write('x')",
        "open(os.path.join(target, 'new'), 'w')",
        "os.listdir(target)",
        "os.mkdir(os.path.join(target, 'folder'))",
        "os.remove(os.path.join(target, 'here'))",
        "open('/proc/self/environ').read()",
    ],
)
def test_what_a_process_may_do_with_files_it_may_no_more_once_confined(tmp_path: Path, attempt: str) -> None:
    script = ATTEMPT.format(target=str(tmp_path), attempt=attempt)
    (tmp_path / "here").write_text("a secret")
    assert said_by(CONFINE + script) == "refused"
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    assert (tmp_path / "here").read_text() == "a secret"
    assert said_by(script) == "done", "the attempt proves something only where it works unconfined"


@pytest.mark.skipif(landlock_version() < NETWORK_SINCE, reason="this kernel's Landlock does not know the network")
@pytest.mark.parametrize("attempt", ["socket.create_connection(target)", "socket.create_server(('127.0.0.1', 0))"])
def test_a_confined_process_neither_connects_nor_listens(attempt: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = ATTEMPT.format(target=server.getsockname(), attempt=attempt)
        assert said_by(CONFINE + script) == "refused"
        assert said_by(script) == "done"
