"""What this machine can do: its device, the packages that planish finds, and which sandboxes hold against attacks."""

from collections.abc import Callable
from importlib import metadata
from typing import NamedTuple

from packaging.requirements import Requirement

from planish.errors import PlanishError
from planish.models.loading import best_device
from planish.sandbox.attacks import Contained, attack
from planish.sandbox.job import Limits
from planish.sandbox.opening import missing_of_kinds, open_sandbox

# Short, for most attacks end by it.
LIMITS = Limits(call_s=0.3)
# For those who work on planish itself.
NOT_OFFERED = {"dev"}


class Extra(NamedTuple):
    """An optional part of planish: which of its packages are missing, and the line that adds them."""

    name: str
    missing: tuple[str, ...]
    add: str


class SandboxCheck(NamedTuple):
    """What a sandbox lacks here, or else what came of each attack on it."""

    kind: str
    missing: str
    attacks: tuple[Contained, ...]

    @property
    def broken_by(self) -> tuple[str, ...]:
        """The names of the attacks that it did not contain."""
        return tuple(one.name for one in self.attacks if not one.contained)


class Machine(NamedTuple):
    """What this machine can do."""

    device: str
    extras: tuple[Extra, ...]
    sandboxes: tuple[SandboxCheck, ...]


def check_machine(say: Callable[[str], None]) -> Machine:
    """Look for the device and the packages, and attack every sandbox that is offered here, telling `say` which."""
    sandboxes = tuple(_attacked(kind, missing, say) for kind, missing in missing_of_kinds().items())
    return Machine(best_device(), extras(), sandboxes)


def extras() -> tuple[Extra, ...]:
    """The optional parts of planish."""
    about = metadata.metadata("planish")
    names = [name for name in about.get_all("Provides-Extra") or () if name not in NOT_OFFERED]
    requirements = [Requirement(line) for line in metadata.requires("planish") or ()]
    return tuple(
        Extra(
            name, tuple(one.name for one in requirements if _missing(one, name)), f"pip install {f'planish[{name}]'!r}"
        )
        for name in names
    )


def _missing(requirement: Requirement, extra: str) -> bool:
    """Whether this extra, and not the core, needs a package that is not installed or is of another version."""
    if requirement.marker is None or not requirement.marker.evaluate({"extra": extra}):
        return False
    try:
        return not requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return True


def _attacked(kind: str, missing: str, say: Callable[[str], None]) -> SandboxCheck:
    if missing:
        return SandboxCheck(kind, missing, ())
    say(f"attacking the sandbox {kind} …")
    try:
        return SandboxCheck(kind, "", tuple(attack(open_sandbox(kind, LIMITS))))
    except PlanishError as error:
        return SandboxCheck(kind, error.message, ())
