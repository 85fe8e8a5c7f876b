from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wordfreq import top_n_list, word_frequency

from planish.find.human import HumanProfile
from planish.find.slop import Slop, find_slop
from planish.find.slop.candidates import count_candidates
from planish.find.slop.discovery import overused
from planish.records.prompt import opening
from planish.records.score import Sample
from planish.text.corpus import Document, TextShard
from planish.text.words import words

NO_PROMPT = opening("")
DATA = Path(__file__).parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real texts are not here")


def human_texts(number: int = 100, length: int = 100) -> list[str]:
    """Words drawn as often as people use them, each a sentence: nothing in them is overused."""
    vocabulary = top_n_list("en", 20_000)
    weights = np.array([word_frequency(word, "en") for word in vocabulary])
    draws = np.random.default_rng(0).choice(vocabulary, (number, length), p=weights / weights.sum())
    return [". ".join(text) for text in draws]


def made_up_texts(number: int, seed: int) -> list[str]:
    """Texts of words that no one uses, in which the next word depends on the last: a language with phrases."""
    draws = np.random.default_rng(seed)
    names = [first + second for first in ("zq", "vx", "jh", "kq", "wz") for second in "bcdfghklmnprstvwz"]
    follows = np.random.default_rng(0).dirichlet(np.full(len(names), 0.05), len(names)).cumsum(axis=1)
    at = np.zeros(number, dtype=int)
    said = []
    for _ in range(100):
        at = np.minimum((follows[at] < draws.random((number, 1))).sum(axis=1), len(names) - 1)
        said.append([names[word] for word in at])
    return [" ".join(text) for text in zip(*said, strict=True)]


def listed(texts: Sequence[str], prompt: str = "", human: HumanProfile | None = None) -> list[str]:
    return [rule.text for rule in find_slop([Sample(opening(prompt), text) for text in texts], human)]


def test_texts_that_say_nothing_too_often_list_nothing() -> None:
    assert listed(human_texts()) == []


def test_a_planted_word_is_listed_with_its_counts() -> None:
    texts = human_texts()
    (rule,) = find_slop([Sample(NO_PROMPT, f"{text} Tapestry, tapestry.") for text in texts])
    count = sum(text.split().count("tapestry") for text in texts) + 200
    assert rule.text == "tapestry"
    assert rule.reason.startswith(f"{count} times in ")
    assert "in 100 of 100 texts" in rule.reason


def test_a_planted_phrase_is_listed_once_and_not_its_parts() -> None:
    assert listed([f"Once upon a time, {text}" for text in human_texts()]) == ["once upon a time"]


def test_a_word_that_is_overused_by_itself_stands_for_the_phrases_around_it() -> None:
    texts = [f"{text}. A rich tapestry of. Tapestry. Tapestry. Tapestry" for text in human_texts()]
    assert listed(texts) == ["tapestry"]


def test_the_most_overused_comes_first() -> None:
    texts = [f"{text}. Tapestry. Testament. Tapestry." for text in human_texts()]
    assert listed(texts) == ["tapestry", "testament"]


def test_function_words_are_nobodys_tic() -> None:
    assert listed(["The the the. It was the. It's it’s he's it's it’s. It's."] * 100) == []


@pytest.mark.parametrize("name", ["Lily", "Lily's", "the Lily"])
def test_words_of_the_prompt_are_excused(name: str) -> None:
    samples = [
        Sample(opening(f"Story {number} about Lily"), f"{text}. {name}. {name}.")
        for number, text in enumerate(human_texts())
    ]
    assert find_slop(samples) == []


def test_a_name_that_comes_unprompted_is_listed_all_the_same() -> None:
    prompts = ["A story about Lily", "A story about a dog", "A story about a cat"]
    samples = [
        Sample(opening(prompts[number % 3]), f"{text}. Lily. Lily.") for number, text in enumerate(human_texts())
    ]
    (rule,) = find_slop(samples)
    assert rule.text == "lily"
    assert rule.overuse is not None
    assert rule.overuse.texts == 66


def test_what_the_texts_of_one_prompt_say_is_not_listed() -> None:
    samples = [
        Sample(opening(f"Story {number % 5}"), text + (". Zyzzyva." if number % 5 == 0 else ""))
        for number, text in enumerate(human_texts())
    ]
    assert find_slop(samples) == []


@pytest.mark.parametrize(("prompts", "enough"), [(4, 2), (5, 3), (9, 5), (11, 6), (12, 6), (50, 6), (100, 6)])
def test_what_is_listed_stands_in_the_texts_of_six_prompts_or_of_half_of_few(prompts: int, enough: int) -> None:
    """Where there are as many prompts as texts, they are documents without any."""
    for number_with in (enough - 1, enough):
        samples = [
            Sample(
                opening(f"Story {number % prompts}" if prompts < 100 else ""),
                text + (". Zyzzyva. Zyzzyva" if number % prompts < number_with else ""),
            )
            for number, text in enumerate(human_texts())
        ]
        assert [rule.text for rule in find_slop(samples)] == ["zyzzyva"] * (number_with == enough)


def test_a_possessive_is_the_word_itself() -> None:
    assert listed([f"{text}. Lily. Lily's. Lily’s." for text in human_texts()]) == ["lily"]


def test_one_strange_text_lists_nothing() -> None:
    for others in (human_texts(number=5), human_texts(number=100)):
        assert [entry for entry in listed([*others, "zyzzyva " * 50]) if "zyzzyva" in entry] == []


@given(
    st.lists(st.sampled_from(["lily", "Lily's", "_luna_", "well-known", "once upon a time", "İzmir", "."]), min_size=1)
)
def test_whatever_is_listed_is_found_in_the_texts(said: list[str]) -> None:
    text = " ".join(said)
    for rule in find_slop([Sample(NO_PROMPT, text)] * 30):
        assert Slop([rule]).locate([text])[0] != [], rule.text


def test_a_phrase_planted_in_a_tenth_of_the_texts_is_found() -> None:
    texts = [
        text + (". A rich tapestry of sounds." if number % 10 == 0 else "")
        for number, text in enumerate(human_texts(200))
    ]
    assert any("tapestry" in entry for entry in listed(texts))


def test_every_figure_of_an_entry_is_what_was_counted() -> None:
    texts = human_texts()
    total = sum(len(words(text)) for text in texts) + 200
    (rule,) = find_slop([Sample(NO_PROMPT, f"{text}. Zyzzyva. Zyzzyva.") for text in texts])
    assert rule.overuse is not None
    assert (rule.overuse.count, rule.overuse.texts) == (200, 100)
    assert rule.overuse.rate_per_1k_words == pytest.approx(1000 * 200 / total)
    assert rule.overuse.human_rate_per_1k_words == pytest.approx(1000 * HumanProfile.bundled().rate(("zyzzyva",)))
    assert rule.overuse.q <= 0.05
    assert "\n" not in rule.reason


def test_the_order_of_the_samples_changes_nothing() -> None:
    planted = ["tapestry", "testament", "rich tapestry of", "shivers down her spine", "elara"]
    draws = np.random.default_rng(0)
    samples = [
        Sample(opening(f"Story {number % 9}"), f"{text}. {'. '.join(draws.choice(planted, 3))}.")
        for number, text in enumerate(human_texts())
    ]
    rules = find_slop(samples)
    assert len(rules) >= 4
    for _ in range(2):
        shuffled = [samples[number] for number in draws.permutation(len(samples))]
        assert find_slop(shuffled) == rules


def test_what_is_whitelisted_is_never_listed() -> None:
    samples = [Sample(NO_PROMPT, f"{text}. Elara's eyes. Once upon a time. Tapestry.") for text in human_texts()]
    assert {rule.text for rule in find_slop(samples)} >= {"once upon a time", "tapestry"}
    allowed = find_slop(samples, whitelist=["Once upon a time", "Tapestry", "Elara", "eyes"])
    assert {"once upon a time", "tapestry"}.isdisjoint(rule.text for rule in allowed)
    assert not any(word in rule.text for rule in allowed for word in ("elara", "eyes"))


def test_a_phrase_is_not_listed_beside_its_word() -> None:
    entries = [
        set(entry.split())
        for entry in listed([f"{text}. A tapestry of light. Tapestry. Tapestry" for text in human_texts()])
    ]
    assert {"tapestry"} in entries
    assert not any(entry > {"tapestry"} for entry in entries)


def test_of_texts_from_the_same_source_as_the_baseline_nearly_nothing_is_listed() -> None:
    human = HumanProfile.from_texts(made_up_texts(2000, seed=1))
    runs_with_a_discovery = 0
    for seed in range(2, 22):
        samples = [Sample(NO_PROMPT, text) for text in made_up_texts(100, seed)]
        runs_with_a_discovery += bool(find_slop(samples, human, least_ratio=1))
    # With nothing to be found, the false-discovery rate is the chance of any discovery: 5 in 100 are allowed.
    assert runs_with_a_discovery <= 3


def test_what_is_planted_above_such_a_baseline_is_all_that_is_listed() -> None:
    human = HumanProfile.from_texts(made_up_texts(2000, seed=1))
    texts = made_up_texts(100, seed=2)
    assert listed([f"{text}. Quill of woe" for text in texts], human=human) == ["quill of woe"]


@needs_data
def test_of_human_prose_that_the_profile_has_not_counted_next_to_nothing_is_listed() -> None:
    prose = pl.read_parquet(DATA / "human_prose.parquet").filter(pl.col("source") != "100_english_novels")
    assert listed(prose["text"].gather_every(10).to_list()) == []


@needs_data
def test_tiny_stories_are_full_of_slop_except_by_their_own_measure() -> None:
    stories = pl.read_parquet(DATA / "tinystories.parquet").filter("cased")["text"].to_list()
    own, others = stories[::10], [story for number, story in enumerate(stories) if number % 10]
    found = listed(own)
    assert {"lily", "mom"} <= set(found)
    assert any("once upon a time" in entry for entry in found)
    assert listed(own, human=HumanProfile.from_texts(others)) == []


def test_a_whitelisted_phrase_can_still_be_written() -> None:
    samples = [Sample(NO_PROMPT, f"{text}. Grew zyzzyva with xylophagous.") for text in human_texts()]
    assert find_slop(samples)
    for protected in ("grew zyzzyva with xylophagous", "zyzzyva with"):
        rules = find_slop(samples, whitelist=[protected])
        assert Slop(rules).locate([protected]) == [[]]
        assert all(protected not in rule.text for rule in rules)


def test_names_can_be_left_out_with_the_phrases_around_them() -> None:
    texts = [f"{text}. Then Elara wove a tapestry. And Elara’s eyes. A testament to zyzzyva" for text in human_texts()]
    counts = count_candidates([TextShard(tuple(map(Document, texts)))], 0.02)
    found = {
        names: {rule.text for rule in overused(counts, HumanProfile.bundled(), names=names)} for names in (True, False)
    }
    assert any("elara" in text for text in found[True])
    assert not any("elara" in text for text in found[False])
    assert any("zyzzyva" in text for text in found[False])


def test_of_entries_as_frequent_as_each_other_the_rarer_among_people_has_the_greater_g2() -> None:
    rules = find_slop([Sample(NO_PROMPT, f"{text}. Zyzzyva. Tapestry.") for text in human_texts()])
    surprise = {rule.text: rule.overuse.g2 for rule in rules if rule.overuse and rule.overuse.g2}
    assert surprise["zyzzyva"] > surprise["tapestry"] > 3.84
