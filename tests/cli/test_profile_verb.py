from pathlib import Path

import pytest
from in_process import Planish

from planish.find.human import HumanProfile

TEXT = "Der alte Mann saß am Fenster und sah auf die Straße.\n\nDer alte Mann saß am Fenster.\n"


@pytest.fixture
def texts() -> str:
    Path("de.txt").write_text(TEXT, encoding="utf-8")
    return "de.txt"


def test_a_profile_is_made_of_texts_and_says_why_it_is_of_its_language(planish: Planish, texts: str) -> None:
    ended = planish("profile", texts)
    assert ended.code == 0
    assert ended.err.startswith("language: de, as ")
    assert "de.txt: 2 texts, 17 words" in ended.out
    assert "--baseline human.parquet" in ended.out
    profile = HumanProfile.open("human.parquet")
    assert profile.language == "de"
    assert profile.rate(("alte", "mann")) == pytest.approx(2 / 17)


def test_its_language_may_be_named(planish: Planish, texts: str) -> None:
    assert planish("profile", texts, "--out", "own.profile", "--language", "nl").code == 0
    assert HumanProfile.open("own.profile").language == "nl"
    assert "xx" in planish.fails(2, "profile", texts, "--language", "xx")


def test_fewer_entries_are_kept_when_asked(planish: Planish, texts: str) -> None:
    assert "words from 3 times on" in planish("profile", texts, "--entries", "1").out


def test_a_profile_that_is_there_stays_unless_forced(planish: Planish, texts: str) -> None:
    Path("human.parquet").write_text("kept", encoding="utf-8")
    assert "--force" in planish.fails(2, "profile", texts)
    assert Path("human.parquet").read_text(encoding="utf-8") == "kept"
    assert planish("profile", texts, "--force").code == 0


def test_what_cannot_be_read_or_written_is_one_line(planish: Planish, texts: str) -> None:
    planish.fails(1, "profile", "nowhere.txt")
    planish.fails(2, "profile", texts, "--out", "nowhere/human.parquet")
    Path("none.txt").write_text("vqx zjk wqp", encoding="utf-8")
    assert "--language" in planish.fails(1, "profile", "none.txt")
    assert not Path("human.parquet").exists()
