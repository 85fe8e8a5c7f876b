"""Short trainings without the garbage collection that would take longer than they do."""

import gc
from collections.abc import Iterator


def frozen_libraries() -> Iterator[None]:
    """A trainer collects garbage at its end: for as long as this fixture lasts, it need not look through libraries."""
    gc.freeze()
    yield
    gc.unfreeze()
