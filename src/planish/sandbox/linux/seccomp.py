"""Which system calls are left to a verifier: those that Python needs to compute and to write its reply."""

import ctypes
import errno
import platform
import sys
from typing import NamedTuple

from planish.sandbox.linux.kernel import KERNEL, checked

PR_SET_SECCOMP, MODE_FILTER = 22, 2

# What the filter answers (linux/seccomp.h).
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
# Instructions of the kernel's filter machine (linux/bpf_common.h), and where it finds what it looks at.
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
CALL_NUMBER_AT, ARCHITECTURE_AT = 0, 4
# The numbers from here on are a second way to call the same things on x86_64 (the x32 interface).
X32_CALLS = 0x40000000


class Machine(NamedTuple):
    """How the kernel names an architecture, and where it has the call of each name."""

    audit_name: int
    calls: dict[str, int]


# No way to open, stat, connect, fork, signal, trace, wait or become another program: what is not here is refused. It
# reads and writes only what it was left: its reply and /dev/null.
MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        {
            "read": 0,
            "write": 1,
            "close": 3,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "exit": 60,
            "gettimeofday": 96,
            "sigaltstack": 131,
            "time": 201,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "clock_getres": 229,
            "exit_group": 231,
            "getrandom": 318,
        },
    ),
    "aarch64": Machine(
        0xC00000B7,
        {
            "close": 57,
            "read": 63,
            "write": 64,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "clock_gettime": 113,
            "clock_getres": 114,
            "sched_yield": 124,
            "restart_syscall": 128,
            "sigaltstack": 132,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "gettimeofday": 169,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "mmap": 222,
            "mprotect": 226,
            "madvise": 233,
            "getrandom": 278,
        },
    ),
}


class Instruction(ctypes.Structure):
    """One instruction of a filter: what to do, how far to jump if so and if not, and a number."""

    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32))


class Program(ctypes.Structure):
    """A filter as the kernel takes it."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction)))


def has_filters() -> bool:
    """Whether this kernel filters system calls."""
    # With no filter given, a kernel that has filters says that the address is bad (EFAULT), any other that the mode is.
    ctypes.set_errno(0)
    KERNEL.prctl(PR_SET_SECCOMP, MODE_FILTER, None, 0, 0)
    return ctypes.get_errno() == errno.EFAULT


def filter_for(machine: Machine) -> Program:
    """A filter that lets the machine's calls through and refuses all others, to be installed after forking."""
    calls = machine.calls.values()
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_IF_EQUAL, 1, 0, machine.audit_name),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, CALL_NUMBER_AT),
        (JUMP_IF_AT_LEAST, len(calls) + 2, 0, X32_CALLS),
        *((JUMP_IF_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, KILL),
    ]
    return Program(len(steps), (Instruction * len(steps))(*(Instruction(*step) for step in steps)))


def this_machine() -> Machine | None:
    """The machine that this process runs on, or None for one whose calls are not listed."""
    if sys.platform != "linux":
        return None
    is_64_bit = ctypes.sizeof(ctypes.c_void_p) == ctypes.sizeof(ctypes.c_uint64)
    return MACHINES.get(platform.machine()) if is_64_bit else None


def allow_only(program: Program) -> None:
    """Refuse this process all other system calls from here on, for good. It needs `no_new_privileges` first."""
    checked(KERNEL.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0), "prctl(PR_SET_SECCOMP)")
