"""The filter of system calls: what it is made of, and what a filtered process can no more do."""

import errno
import re
from pathlib import Path

import pytest
from fresh_process import said_by

from planish.sandbox.linux.seccomp import (
    ALLOW,
    ARCHITECTURE_AT,
    CALL_NUMBER_AT,
    JUMP_IF_AT_LEAST,
    JUMP_IF_EQUAL,
    KILL,
    LOAD,
    MACHINES,
    REFUSE,
    RETURN,
    X32_CALLS,
    Machine,
    filter_for,
    has_filters,
    this_machine,
)

can_filter = pytest.mark.skipif(this_machine() is None or not has_filters(), reason="no filters on this machine")
HEADERS = {
    "x86_64": [*Path("/usr/include").glob("*/asm/unistd_64.h"), *Path("/usr/include/asm").glob("unistd_64.h")],
    "aarch64": [*Path("/usr/include/asm-generic").glob("unistd.h")],
}
FILTER = """
import resource, socket, threading
from planish.sandbox.linux.kernel import KERNEL, checked, no_new_privileges
from planish.sandbox.linux.seccomp import allow_only, filter_for, this_machine
parent = os.getppid()
"""
CONFINE = "no_new_privileges()\nallow_only(filter_for(this_machine()))\n"
# A thread that cannot be started and a limit that cannot be set come up as errors of other kinds.
ATTEMPT = """
try:
    {attempt}
except (PermissionError, RuntimeError, ValueError):
    os.write(1, b"refused")
else:
    os.write(1, b"done")
os._exit(0)
"""


def answer(machine: Machine, architecture: int, call: int) -> int:
    """What the kernel would do: a plain machine for the few instructions that filters are made of."""
    program = filter_for(machine)
    seen = {CALL_NUMBER_AT: call, ARCHITECTURE_AT: architecture}
    at, loaded = 0, 0
    while True:
        step = program.instructions[at]
        assert at < program.length
        at += 1
        match step.code:
            case code if code == LOAD:
                loaded = seen[step.k]
            case code if code == JUMP_IF_EQUAL:
                at += step.yes if loaded == step.k else step.no
            case code if code == JUMP_IF_AT_LEAST:
                at += step.yes if loaded >= step.k else step.no
            case code:
                assert code == RETURN
                return int(step.k)


@pytest.mark.parametrize("name", MACHINES)
def test_the_listed_calls_are_allowed_and_all_others_refused(name: str) -> None:
    machine = MACHINES[name]
    allowed = {call for call in range(1000) if answer(machine, machine.audit_name, call) == ALLOW}
    assert allowed == set(machine.calls.values())
    assert all(answer(machine, machine.audit_name, call) == REFUSE for call in set(range(1000)) - allowed)
    assert REFUSE & 0xFFFF == errno.EPERM


@pytest.mark.parametrize("name", MACHINES)
def test_calls_by_another_architectures_numbers_kill(name: str) -> None:
    machine = MACHINES[name]
    read = machine.calls["read"]
    assert answer(machine, 0x40000003, read) == KILL  # 32-bit x86
    assert answer(machine, machine.audit_name, X32_CALLS | read) == KILL
    assert answer(machine, machine.audit_name, 0xFFFFFFFF) == KILL


@pytest.mark.parametrize("name", MACHINES)
def test_the_numbers_are_the_kernels_own(name: str) -> None:
    if not HEADERS[name]:
        pytest.skip("the kernel's headers are not installed")
    text = HEADERS[name][0].read_text()
    known = {call: int(number) for call, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    assert {call: known[call] for call in MACHINES[name].calls} == MACHINES[name].calls


@can_filter
@pytest.mark.parametrize(
    "attempt",
    [
        "open('/dev/null')",
        "os.stat('/')",
        "socket.socket()",
        "socket.socketpair()",
        "os.fork() or os._exit(0)",
        "threading.Thread(target=print).start()",
        "os.kill(os.getpid(), 0)",
        "os.kill(parent, 0)",
        "os.setsid()",
        "os.execv(sys.executable, ['python', '-c', 'print(\"done\", end=\"\")'])",
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
        "os.dup(1)",
        "os.memfd_create('x')",
        "os.sched_setaffinity(0, os.sched_getaffinity(0))",
        "os.nice(0)",
        "checked(KERNEL.ptrace(0, 0, 0, 0), 'to be traced by its parent')",
    ],
)
def test_what_a_process_may_ask_of_the_kernel_it_may_no_more_once_filtered(attempt: str) -> None:
    script = ATTEMPT.format(attempt=attempt)
    assert said_by(FILTER + CONFINE + script) == "refused"
    assert said_by(FILTER + script).removesuffix("\n") == "done", "the attempt proves something only where it works"


@can_filter
def test_a_filtered_process_still_computes_and_writes() -> None:
    compute = "values = [str(n) * 1000 for n in range(10**4)]\n"
    write = "os.write(1, json.dumps([len(values), len(re.findall('9+', values[9]))]).encode())\nos._exit(0)\n"
    assert said_by(FILTER + "import json, re\n" + CONFINE + compute + write) == "[10000, 1]"
