"""Whether what is found is so: on texts that the list was not found on, on what was planted, and where nothing is."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from planish.find.human import HumanProfile
from planish.find.slop.candidates import Counts, count_candidates
from planish.find.slop.discovery import overused
from planish.find.slop.profile import measure
from planish.records.rule import BanRule
from planish.statistics.log_odds import log_odds
from planish.text.corpus import Document, Shard, TextShard
from planish.text.words import FUNCTION_WORDS, words

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="the real texts are not here")]

LEAST_RATIO, LEAST_SHARE, FALSE_DISCOVERY_RATE = 5.0, 0.02, 0.05
HALVINGS = 6
PLANTED = (
    "breath hitched in her throat",
    "hummed with quiet energy",
    "testament to human resilience",
    "smile didn't reach his eyes",
    "scent of ozone hung",
    "knuckles whitened around the glass",
    "electric silence stretched between",
    "whispered secrets to nobody",
    "tapestry of borrowed light",
    "gaze softened almost imperceptibly",
)


class Corpus(NamedTuple):
    """Documents, and what was counted in them."""

    shards: Sequence[Shard]
    counts: Counts

    @classmethod
    def of(cls, documents: Iterable[Document]) -> "Corpus":
        shards = [TextShard(tuple(documents))]
        return cls(shards, count_candidates(shards, LEAST_SHARE))

    def overused(self, human: HumanProfile) -> list[BanRule]:
        return overused(self.counts, human, LEAST_RATIO, FALSE_DISCOVERY_RATE, ())


def stories() -> pl.DataFrame:
    return pl.read_parquet(DATA / "llm_stories.parquet", columns=["model", "prompt", "text"])


def human_prose(*sources: str) -> pl.DataFrame:
    table = pl.read_parquet(DATA / "human_prose.parquet", columns=["source", "author", "title", "part", "text"])
    return table.filter(pl.any_horizontal(pl.col("source").str.starts_with(source) for source in sources))


def held(table: pl.DataFrame) -> list[Shard]:
    return [TextShard(tuple(documents(table)))]


def documents(table: pl.DataFrame) -> list[Document]:
    prompts = table["prompt"] if "prompt" in table.columns else [""] * len(table)
    return list(map(Document, table["text"], prompts))


def distance_from_people(shards: Sequence[Shard], rules: Sequence[BanRule], human: HumanProfile) -> list[float]:
    """For each rule, in standard errors, how far its odds are above those of people."""
    found = measure(shards, rules, [])
    entries = [tuple(rule.text.split()) for rule in rules]
    return [
        log_odds(rate.hits, found.words, *human.estimate(entry)).z
        for rate, entry in zip(found.rates, entries, strict=True)
    ]


def halves_of_prompts(table: pl.DataFrame) -> Iterator[list[str]]:
    """Every second prompt of the alphabet, then halves that are drawn."""
    prompts = sorted(table["prompt"].unique())
    yield prompts[::2]
    for seed in range(1, HALVINGS):
        yield np.random.default_rng(seed).permutation(prompts)[: len(prompts) // 2].tolist()


def overused_again(table: pl.DataFrame, prompts: Sequence[str], human: HumanProfile) -> list[bool]:
    """Of the first 100 found on the texts of these prompts: which are overused on all others, too."""
    used = pl.col("prompt").is_in(prompts)
    top = Corpus.of(documents(table.filter(used))).overused(human)[:100]
    return [z > 2 for z in distance_from_people(held(table.filter(~used)), top, human)]


def test_what_all_models_overuse_on_half_of_the_prompts_they_overuse_on_the_other_half() -> None:
    again = overused_again(stories(), next(halves_of_prompts(stories())), HumanProfile.bundled())
    print(f"all models together: {np.mean(again):.2f} of the first {len(again)}")
    assert len(again) == 100
    assert np.mean(again) >= 0.9


def test_what_each_model_overuses_on_half_of_its_prompts_it_overuses_on_the_other_half() -> None:
    """Of all that is listed on several halves; a single list is short, and a half may be of other kinds of stories."""
    human, table = HumanProfile.bundled(), stories()
    shares: dict[str, float] = {}
    lengths: list[int] = []
    for model in sorted(table["model"].unique()):
        texts = table.filter(pl.col("model") == model)
        each = [overused_again(texts, prompts, human) for prompts in halves_of_prompts(texts)]
        shares[model] = float(np.mean([holds for again in each for holds in again]))
        lengths += map(len, each)
        of_each = ", ".join(f"{np.mean(again):.2f} of {len(again)}" if again else "none listed" for again in each)
        print(f"{model}: {shares[model]:.3f} ({of_each})")
    least = min(shares, key=shares.__getitem__)
    print(f"the mean model {np.mean(list(shares.values())):.3f}, the least, {least}, {shares[least]:.3f}")
    print(f"the lists have {np.median(lengths):.0f} entries in the median, {min(lengths)} to {max(lengths)}")
    assert shares[least] >= 0.9
    assert np.median(lengths) >= 10


def test_ten_planted_phrases_are_all_found() -> None:
    people = human_prose("brown", "writingprompts")
    draws = np.random.default_rng(0)
    texts = [planted(text, draws) for text in people["text"]]
    size = sum(len(words(text)) for text in texts)
    corpus = Corpus.of(map(Document, texts))
    listed = [rule.text for rule in corpus.overused(HumanProfile.bundled())]
    found = [phrase for phrase in PLANTED if any(content(rule) == content(phrase) for rule in listed)]
    rates = [10_000 * sum(text.count(phrase) for text in texts) / size for phrase in PLANTED]
    print(f"{len(found)} of {len(PLANTED)} planted phrases found, at {np.mean(rates):.1f} in 10,000 of {size:,} words")
    print(f"{len(listed)} entries listed in all: {', '.join(listed)}")
    assert found == list(PLANTED)


def planted(text: str, draws: np.random.Generator) -> str:
    """Each phrase three times in ten thousand words, as sentences between the others."""
    sentences = text.replace("\n", " ").split(". ")
    for phrase in PLANTED:
        for _ in range(draws.poisson(3 * len(words(text)) / 10_000)):
            sentences.insert(int(draws.integers(len(sentences) + 1)), phrase)
    return ". ".join(sentences)


@pytest.mark.parametrize("source", ["brown", "writingprompts", "100_english_novels"])
def test_people_overuse_nothing_compared_with_people_who_write_alike(source: str) -> None:
    """Both halves are of the same authors; every entry on the list is a false discovery."""
    people = human_prose(source)
    people = people.gather_every(max(1, len(people) // 600))
    half = pl.Series(np.random.default_rng(0).permutation(len(people)) % 2 == 0)
    human = HumanProfile.from_texts(people.filter(half)["text"])
    null = Corpus.of(documents(people.filter(~half)))
    listed = null.overused(human)
    machine = stories()
    machine = machine.filter(pl.col("model") == machine["model"][0])
    theirs = Corpus.of(documents(machine)).overused(human)
    tested = len(null.counts.candidates)
    print(f"{source}: {len(listed)} of {tested} candidates listed ({len(listed) / tested:.2%})")
    print(f"  of a model, with the same people as the yardstick: {len(theirs)} ({len(listed) / len(theirs):.2%})")
    print(f"  {', '.join(rule.text for rule in listed)}")
    assert len(listed) <= 0.05 * tested


@pytest.mark.parametrize("name", ["slop_list_bigrams", "slop_list_trigrams"])
def test_agreement_with_a_public_list_of_slop(name: str) -> None:
    """Of content words that stand in a row in the stories of some of the same models, most frequent first.

    Nobody looked how often people say them. So what is to be said of one that is not listed here is printed, too.
    """
    human, stated = HumanProfile.bundled(), json.loads((DATA / "slop_profiles" / f"{name}.json").read_text())
    theirs = [" ".join(entry[0].split()) for entry in stated]
    corpus = Corpus.of(documents(stories()))
    listed = [words(rule.text) for rule in corpus.overused(human)]
    covered = {entry for entry in theirs if any(is_covered(entry.split(), rule) for rule in listed)}
    together = measure(corpus.shards, [BanRule(text=entry) for entry in theirs], []).rates
    gapped = [BanRule(text=entry, kind="ngram" if content(entry) else "phrase") for entry in theirs]
    apart = measure(corpus.shards, gapped, []).rates
    least = LEAST_SHARE * corpus.counts.texts
    missed = [at for at, entry in enumerate(theirs) if entry not in covered]
    rare = [at for at in missed if apart[at].texts < least]
    gaps = [at for at in missed if at not in rare and together[at].texts < least]
    human_too = [at for at in missed if at not in rare and at not in gaps]
    print(f"{name}: {len(covered)} of {len(theirs)} are on our list of {len(listed)}, or what they are part of is")
    print(f"  {len(rare)} stand in fewer than {LEAST_SHARE:.0%} of the texts: {shown(theirs, rare)}")
    print(f"  {len(gaps)} mostly with other words or marks between: {shown(theirs, gaps)}")
    print(f"  {len(human_too)} people say as well, or names and words of prompts: {shown(theirs, human_too)}")
    assert len(covered) >= 0.7 * (len(covered) + len(human_too))


def shown(entries: Sequence[str], places: Sequence[int]) -> str:
    return ", ".join(entries[at] for at in places[:12])


def content(text: str) -> tuple[str, ...]:
    return tuple(word for word in words(text) if word not in FUNCTION_WORDS)


def is_covered(entry: Sequence[str], rule: Sequence[str]) -> bool:
    """Whether a rule has all words of an entry in order, or its own content is among them."""
    rest = iter(rule)
    if all(word in rest for word in entry):
        return True
    inner = content(" ".join(rule))
    return any(tuple(entry[at : at + len(inner)]) == inner for at in range(len(entry) - len(inner) + 1))
