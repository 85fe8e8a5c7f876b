"""What ships with planish for trying it without anything else at hand."""

from importlib.resources import files
from pathlib import Path

from planish.records.prompt import Prompt, opening, writing_prompt
from planish.records.record import read_records
from planish.records.rule import BanRule


def writing_prompts() -> list[Prompt]:
    """Requests for stories."""
    return [writing_prompt(line, source="planish") for line in _lines("story_requests.txt")]


def openings() -> list[Prompt]:
    """Beginnings of stories in which something may go wrong, to be continued."""
    return [opening(line, source="planish") for line in _lines("openings.txt")]


def human_profile_path() -> Path:
    """Counts of words and phrases in human fiction, as `tools/build_profile.py` wrote them."""
    return _path("human_profile.parquet")


def slop_index_rules() -> list[BanRule]:
    """What LLMs overuse that the bundled model has not read, as `tools/build_index.py` found it."""
    return read_records(_path("slop_index.jsonl"), BanRule)


def bundled_model() -> Path:
    """The folder of the small model, as `tools/train_bundled.py` trained it."""
    return _path("model")


def _path(name: str) -> Path:
    return Path(str(files(__name__).joinpath(name)))


def _lines(name: str) -> list[str]:
    return files(__name__).joinpath(name).read_text(encoding="utf-8").splitlines()
