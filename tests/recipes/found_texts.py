"""Texts in which something is overused, and what is found in them by one process."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from wordfreq import top_n_list, word_frequency

from planish.recipes.find import Found, find
from planish.recipes.find_settings import FindSettings
from planish.records.corpus_profile import CorpusProfile

TEXTS, WORDS = 60, 80
# Other processes take longer to start than such texts take to read.
ALONE: dict[str, Any] = {"processes": 1}


def people(number: int = TEXTS, seed: int = 0) -> list[str]:
    """Words drawn as often as people use them, each a sentence: nothing in them is overused."""
    vocabulary = top_n_list("en", 20_000)
    weights = np.array([word_frequency(word, "en") for word in vocabulary])
    draws = np.random.default_rng(seed).choice(vocabulary, (number, WORDS), p=weights / weights.sum())
    return [". ".join(text) + "." for text in draws]


def with_tics(*tics: str, number: int = TEXTS, every: int = 1, seed: int = 0) -> list[str]:
    """The same, with a sentence of its own for each tic in every so many texts."""
    said = " ".join(f"{tic}. {tic}." for tic in tics)
    return [f"{text} {said}" if not at % every else text for at, text in enumerate(people(number, seed))]


def file_of(folder: Path, texts: Sequence[str], name: str = "texts.jsonl") -> str:
    (folder / name).write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return str(folder / name)


def found(*sources: str, out: Path | None = None, **settings: Any) -> Found:
    return find(FindSettings.from_user({"sources": sources, **ALONE, **settings}), out)


def profile_of(*sources: str, **settings: Any) -> CorpusProfile:
    return found(*sources, **settings).profiles[0]


def listed(*sources: str, **settings: Any) -> list[str]:
    return [rule.text for rule in profile_of(*sources, **settings).overused]
