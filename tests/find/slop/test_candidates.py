import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from slow_candidates import slow_candidates

from planish.find.slop.candidates import candidates, count_candidates
from planish.records.prompt import opening
from planish.records.score import Sample
from planish.text.corpus import Document, TextShard
from planish.text.words import words

DATA = Path(__file__).parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real texts are not here")

SAID = st.lists(
    st.sampled_from(["a", "the", "lily", "Lily’s", "Luna", "smiled", "at", "well-known", ".", "\n", "ΑΣ", "東", "京"]),
    max_size=14,
)
TEXTS = st.one_of(SAID.map(" ".join), SAID.map("".join), st.text(max_size=12))
SENTENCES = st.lists(
    st.sampled_from(["Lily smiled at Luna.", "Luna smiled at the cat.", "A cat", "Lily’s cat, Luna."]), max_size=3
).map(" ".join)
PROMPTS = st.sampled_from(["", " ", "About Lily", "luna's smile", "Luna’s smile"])
DOCUMENTS = st.lists(st.builds(Document, TEXTS, PROMPTS), max_size=9)
SHARES = st.sampled_from([0.0, 0.02, 0.07, 0.34, 0.5, 0.9, 1.0])
EXCUSED = st.sets(st.sampled_from(["smiled", "luna"]))


def samples_of(documents: Sequence[Document]) -> list[Sample]:
    return [Sample(opening(document.prompt), document.text) for document in documents]


def least_texts(texts: int, share: float) -> int:
    return max(3, math.ceil(share * texts))


def stories(number: int) -> list[Document]:
    table = pl.read_parquet(DATA / "llm_stories.parquet").gather_every(2208 // number)
    return [Document(text, prompt) for text, prompt in table.select("text", "prompt").iter_rows()]


class HalfReadShard(NamedTuple):
    """Every second document cannot be read."""

    held: tuple[Document, ...]

    def documents(self, left_out: Counter[str]) -> Iterator[Document]:
        for number, document in enumerate(self.held):
            if number % 2:
                left_out["odd"] += 1
            else:
                yield document


@given(DOCUMENTS, st.integers(1, 4), EXCUSED)
@example([Document("東京 lily"), Document("東京  lily")], 2, set())
@example([Document("luna smiled at Lily’s", "")] * 3, 3, {"luna"})
def test_candidates_are_those_of_the_slow_way(documents: list[Document], least: int, excused: set[str]) -> None:
    samples = samples_of(documents)
    assert candidates(samples, least, excused) == slow_candidates(samples, least, excused)


@given(st.lists(DOCUMENTS, min_size=1, max_size=4), SHARES, EXCUSED)
def test_a_corpus_in_shards_is_counted_as_a_whole(
    shards: list[list[Document]], share: float, excused: set[str]
) -> None:
    documents = [document for shard in shards for document in shard]
    counts = count_candidates([TextShard(tuple(shard)) for shard in shards], share, excused)
    assert counts.candidates == slow_candidates(samples_of(documents), least_texts(len(documents), share), excused)
    assert counts.texts == len(documents)
    asked = [document.prompt for document in documents if document.prompt.strip()]
    assert counts.prompts == len(set(asked)) + len(documents) - len(asked)
    assert counts.words == sum(len(words(document.text)) for document in documents)
    assert counts.characters == sum(len(document.text) for document in documents)


@given(st.lists(st.lists(st.builds(Document, SENTENCES, PROMPTS), min_size=8, max_size=14), min_size=2, max_size=4))
def test_what_is_rare_in_most_shards_and_frequent_in_one_is_counted_in_all(shards: list[list[Document]]) -> None:
    documents = [document for shard in shards for document in shard]
    counts = count_candidates([TextShard(tuple(shard)) for shard in shards], 0.3)
    assert counts.candidates == slow_candidates(samples_of(documents), least_texts(len(documents), 0.3))


def test_a_share_that_is_just_reached_is_enough_in_shards_too() -> None:
    # As floats, 0.14 of 100 is more than 14, and of 150 more than 21; of 250 it is 35.
    shards = [
        TextShard(tuple(Document("Tapestry" if number < some else "") for number in range(size)))
        for some, size in ((14, 100), (21, 150))
    ]
    (found,) = count_candidates(shards, 0.14).candidates
    assert found.texts == 35


def test_shards_with_few_texts_count_wherever_they_stand() -> None:
    shards = [TextShard((Document("Tapestry"),) * size) for size in (1, 30, 2, 1, 30, 1)]
    (found,) = count_candidates(shards, 0.5).candidates
    assert (found.everywhere, found.texts) == ((65, 65), 65)


def test_texts_of_one_prompt_in_several_shards_are_of_one_prompt() -> None:
    shards = [TextShard((Document("Zyzzyva", "One"), *[Document("Nothing", "Another")] * 9))] * 5
    assert count_candidates(shards, 0.3).candidates == []
    *_, found = count_candidates([*shards, TextShard((Document("Zyzzyva"),) * 10)], 0.1).candidates
    assert (found.entry, found.everywhere, found.elsewhere) == (("zyzzyva",), (15, 60), (10, 55))


def test_processes_change_nothing() -> None:
    shards = [
        TextShard(tuple(Document(f"Lily smiled at {name}", name) for name in ("Luna", "Elara", "") * 5))
        for _ in range(3)
    ]
    counts = count_candidates(shards, 0.2)
    assert counts.candidates
    assert count_candidates(shards, 0.2, processes=2) == counts


def test_a_phrase_is_as_long_as_it_is() -> None:
    phrase = " ".join(f"word{number}" for number in range(300))
    texts = [f"{phrase}. Only {number}" for number in range(10)]
    (found,) = (one for one in candidates(samples_of([Document(text) for text in texts]), 3) if len(one.entry) > 1)
    assert found.entry == tuple(phrase.split())


def test_what_cannot_be_read_is_counted_once() -> None:
    shards = [HalfReadShard(tuple(Document("Lily smiled") for _ in range(size))) for size in (3, 20, 40)]
    counts = count_candidates(shards, 0.5)
    assert (counts.left_out, counts.texts) == ({"odd": 31}, 32)


def test_names_are_words_that_have_a_capital_wherever_a_word_comes_before() -> None:
    texts = ["Tapestry. Then Elara’s tapestry met Thorne. Yet I say I’m Victorian and victorian and Elara"] * 5
    for shards in ([texts * 3], [texts, texts, texts]):
        counts = count_candidates([TextShard(tuple(map(Document, shard))) for shard in shards], 0.6)
        assert counts.names == {"elara", "thorne"}


def test_a_corpus_without_documents_has_no_candidates() -> None:
    for shards in ([], [TextShard(())], [TextShard(()), TextShard((Document(""),))]):
        assert count_candidates(shards, 0.02).candidates == []


@needs_data
def test_candidates_of_stories_are_those_of_the_slow_way() -> None:
    samples = samples_of(stories(60))
    found = candidates(samples, 3, ["gaze"])
    assert found == slow_candidates(samples, 3, ["gaze"])
    assert max(len(one.entry) for one in found) > 5


@needs_data
def test_stories_in_shards_are_counted_as_a_whole() -> None:
    documents = stories(400)
    whole = count_candidates([TextShard(tuple(documents))], 0.02)
    shards = [TextShard(tuple(documents[start : start + 30])) for start in range(0, 200, 30)]
    shards.append(TextShard(tuple(documents[210:])))
    assert count_candidates(shards, 0.02) == whole
    assert {"elara"} <= whole.names
    assert not {"gaze", "tapestry", "the"} & whole.names
