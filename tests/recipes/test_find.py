from pathlib import Path

import polars as pl
import pytest
from found_texts import TEXTS, file_of, found, listed, people, profile_of, with_tics

import planish
from planish.errors import DataError, PlanishError, UsageError
from planish.find.human_counts import make_profile
from planish.records.ban_file import read_rules
from planish.records.corpus_profile import CorpusProfile
from planish.records.family import Family


def test_a_tic_is_found_with_its_rate_and_nothing_else(tmp_path: Path) -> None:
    profile = profile_of(file_of(tmp_path, with_tics("velvet tapestry")))
    (rule,), (rate,) = profile.overused, profile.overused_rates
    assert rule.text == rate.name == "velvet tapestry"
    assert (rate.hits, rate.texts) == (2 * TEXTS, TEXTS)
    assert rate.rate_per_1k_words == pytest.approx(1000 * 2 * TEXTS / profile.words)
    assert rate.low < rate.rate_per_1k_words < rate.high
    assert (profile.source, profile.texts, profile.language) == ("texts.jsonl", TEXTS, "en")


def test_it_is_called_from_python_again_and_again(tmp_path: Path) -> None:
    """A function of the package must not have the name of a room that calling it loads."""
    source = file_of(tmp_path, with_tics("velvet tapestry"))
    for _ in range(2):
        result = planish.find_overused(source, processes=1, least_share=0.5)
        assert [rule.text for rule in result.profiles[0].overused] == ["velvet tapestry"]


def test_nothing_is_kept_unless_a_folder_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = file_of(tmp_path, with_tics("velvet tapestry"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    found(source)
    assert list((tmp_path / "here").iterdir()) == []


def test_a_folder_is_given_the_profile_and_a_list_to_ban(tmp_path: Path) -> None:
    result = found(file_of(tmp_path, with_tics("velvet tapestry")), out=tmp_path / "out")
    kept = CorpusProfile.model_validate_json((tmp_path / "out" / "profile.json").read_text())
    assert kept == result.profiles[0]
    assert read_rules(tmp_path / "out" / "bans.jsonl") == list(kept.overused)
    assert result.family is None


def test_from_python_a_folder_is_given_the_page_with_words_in_context_and_the_tree(tmp_path: Path) -> None:
    one = file_of(tmp_path, with_tics("velvet tapestry"), "one.jsonl")
    other = file_of(tmp_path, with_tics("copper tang", seed=2), "other.jsonl")
    out = tmp_path / "out"
    result = planish.find_overused(one, other, out=out, processes=1, seed=7, sampling={"top_p": 0.9})
    assert result.family is not None
    assert (out / "family.nwk").read_text() == result.family.newick + "\n"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<mark>velvet tapestry</mark>" in page
    assert f"planish find {one} {other} --set sampling.top_p=0.9 --set seed=7" in page


def test_several_sources_have_a_folder_each_and_a_family(tmp_path: Path) -> None:
    one = file_of(tmp_path, with_tics("velvet tapestry", "hollow hum"), "one.jsonl")
    other = file_of(tmp_path, with_tics("velvet tapestry", "copper tang", seed=2), "other.jsonl")
    result = found(one, other, out=tmp_path / "out")
    assert result.family is not None
    kinds = {rule.text: (rule.shared_by, rule.listed_by) for rule in result.family.rules}
    assert kinds == {
        "velvet tapestry": ("all", ("one.jsonl", "other.jsonl")),
        "hollow hum": ("private", ("one.jsonl",)),
        "copper tang": ("private", ("other.jsonl",)),
    }
    hum = next(rule for rule in result.family.rules if rule.text == "hollow hum")
    assert [rate.hits for rate in hum.rates] == [2 * TEXTS, 0]
    assert [rate.name for rate in result.profiles[0].overused_rates] == [
        rule.text for rule in result.profiles[0].overused
    ]
    assert Family.model_validate_json((tmp_path / "out" / "family.json").read_text()) == result.family
    for name, profile in zip(("one.jsonl", "other.jsonl"), result.profiles, strict=True):
        assert CorpusProfile.model_validate_json((tmp_path / "out" / name / "profile.json").read_text()) == profile
        assert read_rules(tmp_path / "out" / name / "bans.jsonl") == list(profile.overused)


def test_the_profile_of_a_source_does_not_depend_on_the_others(tmp_path: Path) -> None:
    one = file_of(tmp_path, with_tics("velvet tapestry"), "one.jsonl")
    other = file_of(tmp_path, with_tics("copper tang", seed=2), "other.jsonl")
    together = found(one, other).profiles
    assert together == [profile_of(one), profile_of(other)]


def test_labels_name_the_sources(tmp_path: Path) -> None:
    source = file_of(tmp_path, people())
    result = found(source, source, labels=["before", "after"])
    assert [profile.source for profile in result.profiles] == ["before", "after"]
    with pytest.raises(UsageError, match=r"two sources are called '.*texts\.jsonl'"):
        found(source, source)
    with pytest.raises(UsageError, match="1 labels for 2 sources"):
        found(source, source, labels=["before"])


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    sources = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        sources.append(file_of(tmp_path / name, people(5)))
    result = found(*sources, out=tmp_path / "out")
    assert [profile.source for profile in result.profiles] == sources
    assert len(list((tmp_path / "out").glob("*/profile.json"))) == 2


def test_a_baseline_of_another_language_is_refused(tmp_path: Path) -> None:
    source = file_of(tmp_path, people())
    make_profile([source], tmp_path / "german.parquet", "de")
    with pytest.raises(UsageError, match="is a profile of the language 'de'"):
        found(source, baseline=str(tmp_path / "german.parquet"))


def test_a_saved_profile_is_a_baseline(tmp_path: Path) -> None:
    make_profile([file_of(tmp_path, with_tics("velvet tapestry", seed=2), "humans.jsonl")], tmp_path / "people.parquet")
    assert listed(file_of(tmp_path, with_tics("velvet tapestry")), baseline=str(tmp_path / "people.parquet")) == []


def test_columns_say_what_is_read_and_what_it_was_written_for(tmp_path: Path) -> None:
    texts = with_tics("velvet tapestry")
    table = pl.DataFrame({"mine": texts, "asked": ["A velvet tapestry, please."] * TEXTS, "text": people(seed=2)})
    table.write_parquet(tmp_path / "table.parquet")
    source = str(tmp_path / "table.parquet")
    assert listed(source, text_column="mine") == ["velvet tapestry"]
    assert listed(source) == []
    assert listed(source, text_column="mine", prompt_column="asked") == []


def test_a_limit_leaves_the_later_documents_out(tmp_path: Path) -> None:
    source = file_of(tmp_path, [*people(20), *with_tics("velvet tapestry", number=40, seed=2)])
    assert (profile_of(source, limit=20).texts, listed(source, limit=20)) == (20, [])
    assert (profile_of(source, limit=1000).texts, listed(source, limit=1000)) == (60, ["velvet tapestry"])


def test_a_baseline_of_people_who_say_it_too_lists_nothing(tmp_path: Path) -> None:
    source = file_of(tmp_path, with_tics("velvet tapestry"))
    humans = file_of(tmp_path, with_tics("velvet tapestry", seed=2), "humans.jsonl")
    assert listed(source) == ["velvet tapestry"]
    assert listed(source, baseline=humans) == []


def test_an_index_is_told_as_one_rate(tmp_path: Path) -> None:
    source = file_of(tmp_path, with_tics("velvet tapestry", "hollow hum"))
    (tmp_path / "index.txt").write_text("velvet tapestry\nhum\n")
    own, bundled = profile_of(source, index=str(tmp_path / "index.txt")), profile_of(source)
    assert own.index.hits == 4 * TEXTS
    assert own.index_version != bundled.index_version


def test_what_is_whitelisted_is_not_listed(tmp_path: Path) -> None:
    source = file_of(tmp_path, with_tics("velvet tapestry", "hollow hum"))
    assert listed(source, whitelist=["Hollow hum"]) == ["velvet tapestry"]


def test_names_are_left_out_where_nobody_wants_them(tmp_path: Path) -> None:
    source = file_of(tmp_path, [f"{text} So then Elara saw a velvet tapestry." for text in people()])
    assert "elara" in " ".join(listed(source))
    assert "elara" not in " ".join(listed(source, names=False))
    assert "velvet tapestry" in " ".join(listed(source, names=False))


def test_a_list_from_few_texts_or_prompts_says_so(tmp_path: Path) -> None:
    texts = with_tics("velvet tapestry", number=12)
    assert found(file_of(tmp_path, texts)).notes == []
    (note,) = found(file_of(tmp_path, texts[:11])).notes
    assert note.startswith("texts.jsonl: the list is from 11 texts only")
    rows = [{"text": text, "prompt": f"Story {number % 4}"} for number, text in enumerate(texts)]
    pl.DataFrame(rows).write_parquet(tmp_path / "asked.parquet")
    (note,) = found(str(tmp_path / "asked.parquet")).notes
    assert note.startswith("asked.parquet: the list is from 4 prompts only")
    assert found(file_of(tmp_path, people(11))).notes == []


def test_the_four_thresholds_each_leave_something_out(tmp_path: Path) -> None:
    source = file_of(tmp_path, with_tics("velvet tapestry", every=6))
    assert listed(source) == ["velvet tapestry"]
    assert listed(source, least_share=0.2) == []
    assert listed(source, least_ratio=1e6) == []
    assert (listed(source, least_prompts=10), listed(source, least_prompts=11)) == (["velvet tapestry"], [])
    rare = file_of(tmp_path, with_tics("surface", every=10, number=200), "rare.jsonl")
    strict, loose = (listed(rare, false_discovery_rate=rate, least_share=0) for rate in (1e-9, 0.3))
    assert (strict, loose) == ([], ["surface"])


def test_a_seed_draws_other_intervals(tmp_path: Path) -> None:
    source = file_of(tmp_path, with_tics("velvet tapestry", every=3))
    assert profile_of(source).figures == profile_of(source).figures
    assert profile_of(source, seed=1).figures != profile_of(source).figures


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    for number in range(3):
        file_of(tmp_path, with_tics("velvet tapestry", seed=number), f"{number}.jsonl")
    assert found(str(tmp_path), processes=2) == found(str(tmp_path), processes=1)


def test_a_language_is_told_from_the_texts(tmp_path: Path) -> None:
    german = ["Der Hund ist in das Haus gegangen und hat dort nicht geschlafen, weil es zu kalt für ihn war."] * 5
    source = file_of(tmp_path, german)
    result = found(source, language="auto")
    assert result.profiles[0].language == "de"
    assert "texts.jsonl: language: de" in result.notes[0]
    assert profile_of(source, language="de").language == "de"
    with pytest.raises(UsageError, match="nothing is known of the language 'xx'"):
        found(source, language="xx")


def test_a_source_without_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no"):
        found(file_of(tmp_path, ["…", "?!"]))


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing-here"):
        found(str(tmp_path / "nothing-here.txt"))


def test_processes_that_cannot_start_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures.process import BrokenProcessPool

    def broken(*_: object) -> None:
        raise BrokenProcessPool("A child process terminated abruptly")

    monkeypatch.setattr("planish.recipes.find.count_candidates", broken)
    with pytest.raises(PlanishError, match="a process") as caught:
        found(file_of(tmp_path, people()))
    assert "__main__" in caught.value.hint
