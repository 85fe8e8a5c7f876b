"""Models that the tests share: a random tiny one, and a real tiny one where it lies beside the repository."""

from pathlib import Path

import pytest
from hypothesis import settings

from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tiny import tiny_llama

# How long an example takes is no business of a test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

STORIES = Path(__file__).parents[2] / "shared" / "models" / "stories260k"


@pytest.fixture(scope="session")
def tiny() -> LanguageModel:
    return tiny_llama()


@pytest.fixture(scope="session")
def stories() -> LanguageModel:
    if not STORIES.is_dir():
        pytest.skip("the real tiny model is not here")
    return load_model(str(STORIES))
