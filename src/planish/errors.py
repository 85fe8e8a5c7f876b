"""What can go wrong, as a tree. Every class says how the process ends; every error says what to type next.

PlanishError             1    anything a user can mend
├── UsageError           2    the command line or a setting is off
├── DataError            1    a file or a row is off
├── ModelError           1    a model cannot do what is asked of it
├── MissingPackageError  1    an optional package is not installed
└── Interrupted          130  Ctrl+C; everything is saved (runs/interrupt.py)
"""

# Which extra brings a package that the core does without.
EXTRA_OF = {
    "accelerate": "train",
    "bitsandbytes": "four-bit",
    "componentize-py": "sandbox",
    "datasets": "train",
    "immutabledict": "bench",
    "langdetect": "bench",
    "lm_eval": "bench",
    "nltk": "bench",
    "peft": "train",
    "starlette": "serve",
    "trl": "train",
    "uvicorn": "serve",
    "wasmtime": "sandbox",
}


class PlanishError(Exception):
    """Something that the user can mend: one line of what is wrong, one line of what to type next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PlanishError):
    """A flag or a setting is off."""

    exit_code = 2


class DataError(PlanishError):
    """A file or a row is off; the message names the place."""


class ModelError(PlanishError):
    """A model cannot do what is asked of it."""


class MissingPackageError(PlanishError):
    """An optional package is not installed."""

    def __init__(self, package: str) -> None:
        extra = EXTRA_OF.get(package)
        wanted = f"'planish[{extra}]'" if extra else package
        super().__init__(f"the package {package!r} is not installed", f"pip install {wanted}")
