import pytest
from hypothesis import given
from hypothesis import strategies as st
from wordfreq import word_frequency

from planish.find.human import LONGEST_COUNTED, HumanProfile, count_entries
from planish.text.words import word_runs

ENTRIES = st.lists(
    st.sampled_from(["the", "of", "a", "time", "upon", "once", "elara", "zyzzyva"]), min_size=1, max_size=6
)
TEXTS = st.lists(st.text("ab’'s .", max_size=20), max_size=4)


@given(TEXTS)
def test_counts_are_those_of_a_slow_count(texts: list[str]) -> None:
    counts, texts_with = count_entries(texts)
    expected: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        for run in word_runs(text):
            for start in range(len(run)):
                for length in range(1, min(LONGEST_COUNTED, len(run) - start) + 1):
                    entry = " ".join(run[start : start + length])
                    expected.setdefault(entry.removesuffix("'s") if length == 1 else entry, []).append(number)
    assert counts == {entry: len(numbers) for entry, numbers in expected.items()}
    assert texts_with == {entry: len(set(numbers)) for entry, numbers in expected.items()}


@given(ENTRIES)
def test_every_rate_is_that_of_something_that_can_be_said(entry: list[str]) -> None:
    assert 0 < HumanProfile.bundled().rate(tuple(entry)) < 1


@given(ENTRIES)
def test_no_word_is_rarer_than_wordfreq_says(entry: list[str]) -> None:
    assert HumanProfile.bundled().rate((entry[0],)) >= word_frequency(entry[0], "en")


@given(st.lists(st.sampled_from(["qa", "qb", "qc"]), min_size=4, max_size=7))
def test_a_longer_phrase_is_as_rare_as_its_rarest_three_words(entry: list[str]) -> None:
    profile = HumanProfile.from_texts(["qa qb qc qa qa qb", "qb qc qa qb qc"])
    threes = [tuple(entry[start : start + 3]) for start in range(len(entry) - 2)]
    assert profile.rate(tuple(entry)) == min(map(profile.rate, threes))


def test_people_say_some_phrases_and_not_others() -> None:
    human = HumanProfile.bundled()
    assert human.rate(("of", "the")) > 1e-3
    assert human.rate(("shook", "his", "head")) > 20 * human.rate(("voice", "barely", "audible"))


def test_a_phrase_of_a_word_that_nobody_says_is_as_rare_as_the_word() -> None:
    human = HumanProfile.bundled()
    assert human.rate(("qzxv", "of", "the")) == human.rate(("qzxv",)) == 1e-8


def test_a_baseline_of_ones_own_says_what_its_texts_say() -> None:
    profile = HumanProfile.from_texts(["vqx zjk one", "vqx zjk two", "vqx zjk three", "said once"])
    assert profile.rate(("vqx", "zjk")) == pytest.approx(3 / 11)
    assert profile.rate(("vqx",)) == pytest.approx(3 / 11)


def test_what_one_text_alone_says_again_and_again_is_not_what_people_say() -> None:
    alone = HumanProfile.from_texts(["vqx zjk. " * 50, *["wqp"] * 50])
    shared = HumanProfile.from_texts([*["vqx zjk. "] * 50, *["wqp"] * 50])
    assert alone.rate(("vqx", "zjk")) < shared.rate(("vqx", "zjk")) / 10


def test_what_the_profile_has_not_seen_is_rarer_the_more_it_has_seen() -> None:
    small, large = (HumanProfile.from_texts(["the cat of the house"] * copies) for copies in (10, 1000))
    assert large.rate(("house", "cat")) < small.rate(("house", "cat"))
