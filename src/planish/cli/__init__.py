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
        if error.name is None or error.name.startswith("planish"):
            raise
        _leave(MissingPackageError(error.name.partition(".")[0]))
    except KeyboardInterrupt:
        sys.exit(130)


def _leave(error: PlanishError) -> None:
    print(f"planish: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  next: {error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
