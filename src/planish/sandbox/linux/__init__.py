"""Runs verifiers in processes that the Linux kernel confines."""

from planish.sandbox.linux.sandbox import LinuxSandbox

__all__ = ["LinuxSandbox"]
