from collections.abc import Iterator

import pytest
from serving import Served, serving

from planish.models.language_model import LanguageModel
from planish.steer.engine import Engine


@pytest.fixture(scope="module")
def served(tiny: LanguageModel) -> Iterator[Served]:
    """The random tiny model, without steers."""
    with serving(Engine(tiny)) as running:
        yield running
