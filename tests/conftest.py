"""Models that the tests share: a random tiny one, and a real tiny one where it lies beside the repository."""

from pathlib import Path

import pytest

from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama

STORIES = Path(__file__).parents[2] / "shared" / "models" / "stories260k"


@pytest.fixture(scope="session")
def tiny() -> LanguageModel:
    return tiny_llama()


@pytest.fixture(scope="session")
def stories() -> LanguageModel:
    if not STORIES.is_dir():
        pytest.skip("the real tiny model is not here")
    return LanguageModel.load(str(STORIES))
