"""How well two models foresee a text that neither wrote: plain human prose."""

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from planish.errors import DataError
from planish.models import bundled
from planish.models.language_model import LanguageModel
from planish.models.scoring import token_log_probs
from planish.prove.evidence import Tally, compare, pooled_rate
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import opening
from planish.records.text_file import numbered_lines
from planish.text.words import words

REFERENCE_TEXT = "reference text"
# A passage ends with the paragraph in which it reaches so many words; what is left after the last one joins it unless
# it is at least half a passage.
PASSAGE_WORDS = 300
# Of a longer text, so many passages, evenly spaced.
MOST_PASSAGES = 200
# Of a longer passage, its beginning.
MOST_TOKENS = 1024

_NEXT_DOCUMENT = re.compile(r"^###[ \t]*$", re.MULTILINE)
_NEXT_PARAGRAPH = re.compile(r"\n[ \t]*\n")


def reference_passages(path: Path | None = None) -> list[str]:
    """Passages of about 300 words: of the plain prose that ships, or of a user's own text.

    A text file holds paragraphs between blank lines, and documents between lines of `###`; a parquet file holds a
    document in each row of its column `text`. No passage runs from one document into the next.

    Raises:
        DataError: the file is not there, cannot be read, or holds no text.
    """
    passages = [passage for document in _documents(path) for passage in _passages(document)]
    if not passages:
        raise DataError(f"{path} holds no text", "give plain prose: some thousand words in paragraphs")
    if len(passages) <= MOST_PASSAGES:
        return passages
    return [passages[place * len(passages) // MOST_PASSAGES] for place in range(MOST_PASSAGES)]


def perplexity_reference(before: LanguageModel, after: LanguageModel, passages: Sequence[str]) -> Evidence:
    """Perplexity a token over all passages, resampled by passage; it may move by a twentieth."""
    sides = [_losses(model, passages) for model in (before, after)]
    return compare(
        "perplexity_reference",
        "",
        "the models themselves",
        *sides,
        better="same",
        margin=0.05 * float(np.exp(pooled_rate(sides[0]))),
        finish=np.exp,
        group=REFERENCE_TEXT,
    )


def _losses(model: LanguageModel, passages: Sequence[str]) -> dict[str, list[Tally]]:
    longest = min(MOST_TOKENS, model.context)
    texts = [_as_generation(str(number), model, passage, longest) for number, passage in enumerate(passages)]
    return {
        text.id: [(float(-log_probs.sum()), len(text.token_ids))] for text, log_probs in token_log_probs(model, texts)
    }


def _as_generation(name: str, model: LanguageModel, passage: str, longest: int) -> Generation:
    """A passage as if it had been written: its first token is given, the others are foreseen."""
    first, *others = model.encode(opening(passage))[:longest]
    return Generation(
        id=name,
        prompt_id=name,
        sample=0,
        seed=0,
        text=passage,
        prompt_token_ids=(first,),
        token_ids=tuple(others),
        char_ends=(),
        finish="stop",
    )


def _documents(path: Path | None) -> list[str]:
    if path is None:
        return _NEXT_DOCUMENT.split(files(bundled).joinpath("reference_prose.txt").read_text(encoding="utf-8"))
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path)
    return _NEXT_DOCUMENT.split("\n".join(line for _, line in numbered_lines(path)))


def _parquet_rows(path: Path) -> list[str]:
    try:
        return pl.read_parquet(path, columns=["text"])["text"].cast(pl.String).drop_nulls().to_list()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}", "check the path") from error
    except pl.exceptions.ColumnNotFoundError as error:
        raise DataError(f"{path} has no column text", "give a parquet file with a column text") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is not a parquet file", "give plain text (UTF-8), or .parquet") from error


def _passages(document: str) -> Iterator[str]:
    """Whole paragraphs, gathered until they are long enough."""
    gathered: list[list[str]] = [[]]
    for paragraph in _NEXT_PARAGRAPH.split(document.strip()):
        if _length(gathered[-1]) >= PASSAGE_WORDS:
            gathered.append([])
        gathered[-1].append(paragraph)
    if len(gathered) > 1 and _length(gathered[-1]) < PASSAGE_WORDS / 2:
        rest = gathered.pop()
        gathered[-1] += rest
    return ("\n\n".join(paragraphs) for paragraphs in gathered if _length(paragraphs))


def _length(paragraphs: Sequence[str]) -> int:
    return sum(len(words(paragraph)) for paragraph in paragraphs)
