"""Prompts from a file, and the split into those that are used and those that only judge."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from planish.errors import DataError
from planish.records.prompt import Prompt, writing_prompt
from planish.records.record import read_records

# Every third prompt is held out.
HELD_OUT_EVERY = 3


class Split(NamedTuple):
    """Prompts to find and train with, and prompts to judge with; no prompt is in both."""

    used: list[Prompt]
    held_out: list[Prompt]


def split_prompts(prompts: Sequence[Prompt]) -> Split:
    """Hold out every third of the distinct prompts.

    Raises:
        DataError: there are fewer than three distinct prompts.
    """
    distinct = list({prompt.id: prompt for prompt in prompts}.values())
    if len(distinct) < HELD_OUT_EVERY:
        raise DataError(
            f"{len(distinct)} distinct prompts are too few: one in {HELD_OUT_EVERY} is held out to judge by",
            "give more prompts; 30 or more make the intervals narrow",
        )
    held_out = distinct[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    kept = {prompt.id for prompt in held_out}
    return Split([prompt for prompt in distinct if prompt.id not in kept], held_out)


def read_prompts(path: Path, from_line: Callable[[str, str], Prompt] = writing_prompt) -> list[Prompt]:
    """The prompts of a JSONL file of `Prompt` rows, or of a text file, each line made a prompt by `from_line`.

    Raises:
        DataError: there is no such file, it is not text, or it holds no prompt.
    """
    if path.suffix == ".jsonl":
        prompts = read_records(path, Prompt)
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except FileNotFoundError as error:
            raise DataError(f"there is no file {path}", "check the path") from error
        except (UnicodeDecodeError, OSError) as error:
            raise DataError(
                f"{path} is not a text file", "give a text file with one prompt a line, or .jsonl"
            ) from error
        prompts = [from_line(line.strip(), path.name) for line in lines if line.strip()]
    if not prompts:
        raise DataError(f"{path} holds no prompt", "give a text file with one prompt a line, or .jsonl")
    return prompts
