"""Prompts of a benchmark, so that none of them is trained on."""

from pathlib import Path

from planish.records.prompt_file import read_prompts
from planish.text.words import words

# As long a run of words is hardly ever shared by chance.
RUN_WORDS = 13


class BenchmarkText:
    """The runs of thirteen words in some prompts; a prompt that is shorter counts as a whole.

    Raises:
        DataError: the file cannot be read, or holds no prompt.
    """

    def __init__(self, path: Path) -> None:
        self._runs = {run for prompt in read_prompts(path) for run in _runs(prompt.content)}

    def shares(self, text: str) -> bool:
        """Whether a text has one of the runs in it, or is one of the short prompts."""
        return any(run in self._runs for run in _runs(text))


def _runs(text: str) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[start : start + RUN_WORDS]) for start in range(max(1, len(found) - RUN_WORDS + 1))]
