"""Preference rows for a random tiny model: enough texts that some are held out."""

from pathlib import Path

import torch

from planish.records.preference import CompletionPreference, Point, TokenPreferences
from planish.records.prompt import opening
from planish.records.record import write_records


def some_points(texts: int = 30, tokens: int = 24, points: int = 3, vocabulary: int = 250) -> list[TokenPreferences]:
    """On every path the same tokens are rejected for the same others, so that what is learned holds elsewhere."""
    draws = torch.Generator().manual_seed(0)
    paths = []
    for text in range(texts):
        ids = torch.randint(3, vocabulary, (tokens,), generator=draws).tolist()
        places = [(number + 1) * tokens // (points + 1) for number in range(points)]
        paths.append(
            TokenPreferences(
                generation_id=f"text-{text:03d}",
                token_ids=tuple(ids),
                prompt_length=3,
                points=tuple(
                    Point(
                        position=place,
                        rejected=40 + number,
                        chosen=(60 + number, 90 + number),
                        chosen_probs=(),
                        rule=f"rule {number}",
                    )
                    for number, place in enumerate(places)
                ),
            )
        )
    return paths


def some_pairs(pairs: int = 8) -> list[CompletionPreference]:
    return [
        CompletionPreference.between(opening(f"Story {number}: "), "The dog slept.", "A tapestry!", (1, 0))
        for number in range(pairs)
    ]


def write_points(path: Path, **sizes: int) -> str:
    write_records(path, some_points(**sizes))
    return str(path)


def write_pairs(path: Path) -> str:
    write_records(path, some_pairs())
    return str(path)
