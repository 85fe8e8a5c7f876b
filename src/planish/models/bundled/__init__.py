"""What ships with planish for trying it without anything else at hand."""

from importlib.resources import files

from planish.records.prompt import Prompt, opening, writing_prompt


def writing_prompts() -> list[Prompt]:
    """Requests for stories."""
    return [writing_prompt(line, source="planish") for line in _lines("writing_prompts.txt")]


def openings() -> list[Prompt]:
    """Beginnings of stories in which something may go wrong, to be continued."""
    return [opening(line, source="planish") for line in _lines("openings.txt")]


def _lines(name: str) -> list[str]:
    return files(__name__).joinpath(name).read_text(encoding="utf-8").splitlines()
