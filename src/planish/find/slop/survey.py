"""What a process learns of one part of a corpus: what is frequent there, and how often what others found stands in it.

A part is read anew for each question, so that no process holds more than one.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planish.find.slop.entry_counts import EntryCounts
from planish.find.slop.material import Material
from planish.find.slop.pool import Pool
from planish.text.corpus import Document, Shard
from planish.text.entry import Entry
from planish.text.frequent_strings import frequent, in_texts
from planish.text.word_ids import BREAK, Numbers

# Of what stands in fewer texts of a part it cannot be said there that it is frequent: that would be nearly everything.
LEAST_TEXTS = 3

Part = Sequence[Shard]


class Survey(NamedTuple):
    """The size of a part, and what is frequent in it.

    `left_out` counts by reason what could not be read; `prompt_words` are the running words written for each of the
    prompts with these hashes, and `unprompted` the texts written for none. `frequent` is empty where the part has too
    few texts to say.
    """

    texts: int
    words: int
    characters: int
    left_out: Mapping[str, int]
    prompt_hashes: NDArray[np.uint64]
    prompt_words: Numbers
    unprompted: int
    frequent: list[Entry]


def survey(part: Part, least_share: float) -> Survey:
    """Look for all that stands in at least this share of a part's texts."""
    documents, left_out = read(part)
    # What the prompts say does not matter yet.
    material = Material.of([Document(each.text) for each in documents], (), _prompt_ids(documents))
    least_texts = least_texts_in(material.texts, least_share)
    hashes = material.prompts.hashes
    return Survey(
        texts=material.texts,
        words=material.words,
        characters=material.characters,
        left_out=left_out,
        prompt_hashes=hashes,
        prompt_words=material.prompts.words[: len(hashes)],
        unprompted=len(material.prompts.words) - len(hashes),
        frequent=frequent_entries(material, least_texts) if least_texts >= LEAST_TEXTS else [],
    )


def least_texts_in(texts: int, least_share: float) -> int:
    """What has this share of all texts stands in so many of some part's."""
    # A hair less, so that no rounding asks for more than the share.
    return math.ceil(least_share * (1 - 1e-9) * texts)


def count(part: Part, excused: Collection[str], pool: Pool, shared: NDArray[np.uint64]) -> EntryCounts:
    """Count the entries of a pool in a part; see `EntryCounts`."""
    return EntryCounts.of(material_of(read(part)[0], excused), pool, shared)


def read(part: Part) -> tuple[list[Document], Counter[str]]:
    """The documents of a part, and how many were left out, by reason."""
    left_out: Counter[str] = Counter()
    return list(chain.from_iterable(shard.documents(left_out) for shard in part)), left_out


def material_of(documents: Sequence[Document], excused: Collection[str]) -> Material:
    """Documents as numbers; those with the same prompt share it, and each with none has one of its own."""
    return Material.of(documents, excused, _prompt_ids(documents))


def _prompt_ids(documents: Sequence[Document]) -> list[str]:
    return [each.prompt if each.prompt.strip() else "" for each in documents]


def frequent_entries(material: Material, least_texts: int) -> list[Entry]:
    """The words without "'s", and the phrases that stand within no other, of so many texts."""
    words, ids, texts, _ = material.numbered
    bare = material.bare[ids]
    at = np.flatnonzero(ids != BREAK)
    singles = in_texts(bare[at].astype(np.int64), texts[at], least_texts)
    common = np.zeros(len(words), dtype=bool)
    common[singles] = True
    phrases = frequent(np.where(common[bare], ids, BREAK), len(words), texts, least_texts)
    return [tuple(words[number] for number in string) for string in (*zip(singles.tolist()), *phrases)]
