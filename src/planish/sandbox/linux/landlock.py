"""The kernel's own refusal of files and network: Landlock, through raw system calls."""

import ctypes
import sys

from planish.sandbox.linux.kernel import KERNEL, checked

# The same numbers on every architecture.
CREATE_RULESET, RESTRICT_SELF = 444, 446
CREATE_RULESET_VERSION = 1
# How many rights over files each version of the interface knows, and how many over the network; the last it got was a
# scope that keeps signals and abstract sockets to processes as confined as the one that uses them.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
NETWORK_RIGHTS, NETWORK_SINCE = 2, 4
SCOPES, SCOPES_SINCE = 2, 6


class Handled(ctypes.Structure):
    """What a ruleset refuses where no rule of it allows; older kernels know only the first fields."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


def landlock_version() -> int:
    """The version of Landlock that this kernel has, or 0."""
    if sys.platform != "linux":
        return 0
    version: int = KERNEL.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)
    return max(0, version)


def ruleset_that_allows_nothing() -> int:
    """A file descriptor for `allow_nothing`: made once, before forking.

    Raises:
        OSError: the kernel has no Landlock, or hides it.
    """
    version = landlock_version()
    handled = Handled(files=(1 << FILE_RIGHTS.get(version, max(FILE_RIGHTS.values()))) - 1)
    fields = 1
    if version >= NETWORK_SINCE:
        handled.network, fields = (1 << NETWORK_RIGHTS) - 1, 2
    if version >= SCOPES_SINCE:
        handled.scopes, fields = (1 << SCOPES) - 1, 3
    size = ctypes.c_size_t(fields * ctypes.sizeof(ctypes.c_uint64))
    return checked(KERNEL.syscall(CREATE_RULESET, ctypes.byref(handled), size, 0), "landlock_create_ruleset")


def allow_nothing(ruleset: int) -> None:
    """Refuse this process all files and network from here on, for good. It needs `no_new_privileges` first."""
    checked(KERNEL.syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
