from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wordfreq import word_frequency

from planish.errors import DataError, UsageError
from planish.find.human import HumanProfile
from planish.find.human_counts import make_profile

ENTRIES = st.lists(
    st.sampled_from(["the", "of", "a", "time", "upon", "once", "elara", "zyzzyva"]), min_size=1, max_size=6
)


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


def test_where_there_is_one_text_alone_it_has_to_do(tmp_path: Path) -> None:
    profile = HumanProfile.from_texts(["vqx zjk. " * 50])
    assert profile.rate(("vqx", "zjk")) == pytest.approx(0.5)
    (tmp_path / "one.txt").write_text("vqx zjk.\n" * 50, encoding="utf-8")
    make_profile([str(tmp_path / "one.txt")], tmp_path / "one.profile", "en")
    assert HumanProfile.open(tmp_path / "one.profile").registers == profile.registers


def test_what_the_profile_has_not_seen_is_rarer_the_more_it_has_seen() -> None:
    small, large = (HumanProfile.from_texts(["the cat of the house"] * copies) for copies in (10, 1000))
    assert large.rate(("house", "cat")) < small.rate(("house", "cat"))


def test_of_another_language_words_are_as_frequent_as_its_list_says_and_phrases_as_their_rarest_word() -> None:
    german = HumanProfile.of_language("de")
    fenster, alte = (word_frequency(word, "de") for word in ("fenster", "alte"))
    assert german.rate(("fenster",)) == fenster > 100 * HumanProfile.bundled().rate(("fenster",))
    assert german.rate(("alte", "fenster")) == min(alte, fenster)
    assert german.rate(("alte", "vqxzjk")) == 1e-8
    assert HumanProfile.of_language("en") is HumanProfile.bundled()
    with pytest.raises(UsageError, match="xx"):
        HumanProfile.of_language("xx")


def test_of_chinese_no_string_is_more_frequent_than_a_part_of_it() -> None:
    chinese = HumanProfile.of_language("zh")
    for string in ("眼睛", "他眼中", "眼中闪", "璃璃璃"):
        parts = [chinese.rate(tuple(part)) for part in (string[1:], string[:-1])]
        assert 0 < chinese.rate(tuple(string)) <= min(parts)


@pytest.mark.parametrize(
    ("language", "text", "entry"),
    [
        ("zh", "他眼中闪过一丝光。", "眼 中 闪"),
        ("ar", "قال كلمة واحدة.", "كلمة واحدة"),
        ("he", "האיש הזקן ישב.", "האיש הזקן"),
    ],
)
def test_texts_of_ones_own_count_in_any_script(language: str, text: str, entry: str) -> None:
    profile = HumanProfile.from_texts([text, text], language)
    assert profile.rate(tuple(entry.split())) >= 1 / 8


@pytest.mark.parametrize("texts", [[], ["…", ""]])
def test_texts_without_a_word_are_no_yardstick(texts: list[str]) -> None:
    with pytest.raises(DataError, match="no word"):
        HumanProfile.from_texts(texts)


def test_a_saved_profile_says_what_its_texts_say(tmp_path: Path) -> None:
    texts = ["Der alte Mann saß am Fenster.", "Der alte Mann ging.", "Am Fenster stand der Stuhl."]
    (tmp_path / "de.txt").write_text("\n\n".join(texts), encoding="utf-8")
    make_profile([str(tmp_path / "de.txt")], tmp_path / "de.profile", "de")
    saved, own = HumanProfile.open(tmp_path / "de.profile"), HumanProfile.from_texts(texts, "de")
    also_own = HumanProfile.open(tmp_path / "de.txt", "de")
    assert (saved.language, saved.registers) == ("de", own.registers)
    assert also_own.registers == own.registers
    assert saved.rate(("alte", "mann")) == pytest.approx(2 / 15)


def test_what_is_neither_a_profile_nor_texts_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"number": [1, 2]}).write_parquet(tmp_path / "numbers.parquet")
    with pytest.raises(DataError):
        HumanProfile.open(tmp_path / "numbers.parquet")
    with pytest.raises(DataError, match=r"numbers\.parquet is no profile"):
        HumanProfile.read(tmp_path / "numbers.parquet")
    with pytest.raises(DataError, match="nowhere"):
        HumanProfile.open(tmp_path / "nowhere.txt")
