"""The C library's way into the kernel, for what Python has no function for."""

import ctypes
import os

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38

KERNEL = ctypes.CDLL(None, use_errno=True)


def checked(result: int, call: str) -> int:
    """The result of a system call.

    Raises:
        OSError: it failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def no_new_privileges() -> None:
    """Give up, for good, what a setuid program could give: the kernel confines only those who did."""
    checked(KERNEL.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def die_with_parent(signal: int) -> None:
    """Be sent a signal by the kernel when the process that forked this one ends."""
    checked(KERNEL.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def leave_no_dump() -> None:
    """Neither write this process's memory down when it crashes, nor let others of the same user look into it."""
    checked(KERNEL.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl(PR_SET_DUMPABLE)")
