"""The command line: one file a verb. A verb parses, calls one Python function, and shows the result."""

import sys

from planish.cli.app import app
from planish.errors import MissingPackageError, PlanishError


def main() -> None:
    """Run the command line; an error that the user can mend is two lines and an exit code, never a traceback."""
    try:
        app()
    except PlanishError as error:
        _leave(error)
    except ModuleNotFoundError as error:
        missing = _missing_package(error)
        if missing is None:
            raise
        _leave(MissingPackageError(missing))
    except KeyboardInterrupt:
        sys.exit(130)


def _missing_package(error: BaseException | None) -> str | None:
    """What is not installed, which may be told only by what the error came of; None where it is part of planish."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name is not None:
            package = error.name.partition(".")[0]
            return None if package == "planish" else package
        error = error.__cause__
    return None


def _leave(error: PlanishError) -> None:
    print(f"planish: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  next: {error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
