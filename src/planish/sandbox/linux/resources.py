"""What a verifier may use of the machine, as limits that the kernel keeps."""

import math
import os
import resource
from pathlib import Path

from planish.sandbox.job import Limits

# A request is held as bytes, as text and, parsed, at up to four bytes for each of its own: that is not the verifier's.
REQUEST_COPIES = 6
NONE = (
    resource.RLIMIT_CORE,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_MEMLOCK,
    resource.RLIMIT_MSGQUEUE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_NPROC,  # not kept for root, whose forks the filter of system calls refuses
    resource.RLIMIT_SIGPENDING,
)


def address_space_bytes() -> int:
    """How much address space this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def limit_resources(limits: Limits, before_bytes: int, request_bytes: int, texts: int) -> None:
    """Bind this process for good.

    Args:
        limits: what the job may use.
        before_bytes: the address space that the server had, without any job.
        request_bytes: how long the request is.
        texts: how many texts it has; the time of all calls together is bounded here, that of each one outside.
    """
    for kind in NONE:
        resource.setrlimit(kind, (0, 0))
    memory = before_bytes + REQUEST_COPIES * request_bytes + (limits.memory_mib << 20)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    seconds = math.ceil(limits.call_s * (2 * texts + 1)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
