import json
from pathlib import Path
from typing import Any

import pytest
from in_process import Planish

from hand_made_profiles import family_of, profile, rate
from planish.cli.find import FindFlags
from planish.cli.find_table import tree_lines
from planish.cli.terminal_text import harmless
from planish.prove.find_wording import HANDFUL
from planish.recipes.find import Found
from planish.records.ban_file import read_rules
from planish.records.corpus_profile import CorpusProfile
from planish.records.family import Family
from planish.runs.event import RunEvent, now
from planish.text.corpus import Document, TextShard

# For each flag what is typed, and what the recipe is told.
FLAGS: dict[str, tuple[list[object], dict[str, Any]]] = {
    "label": (["--label", "mine"], {"labels": ("mine",)}),
    "text_column": (["--text-column", "story"], {"text_column": "story"}),
    "prompt_column": (["--prompt-column", "title"], {"prompt_column": "title"}),
    "language": (["--language", "de"], {"language": "de"}),
    "limit": (["--limit", 9], {"limit": 9}),
    "baseline": (["--baseline", "human.parquet"], {"baseline": "human.parquet"}),
    "whitelist": (["--whitelist", "lily", "--whitelist", "once upon"], {"whitelist": ("lily", "once upon")}),
    "names": (["--no-names"], {"names": False}),
    "index": (["--index"], {}),
    "index_list": (["--index-list", "list.txt"], {"index": "list.txt"}),
    "top": (["--top", 3], {}),
    "processes": (["--processes", 2], {"processes": 2}),
    "seed": (["--seed", 9], {"seed": 9}),
    "out": (["--out", "here"], {"out": Path("here")}),
    "config": (["--config", "settings.toml"], {"samples": 5, "sampling": {"top_p": 0.9}}),
    "set": (
        ["--set", "least_share=0.05", "--set", "sampling.top_p=0.8"],
        {"least_share": 0.05, "sampling": {"top_p": 0.8}},
    ),
}
# What a terminal would obey, and what Rich would.
OBEYED = "\x1b[31mred \u202e[bold]loud[/]"
NOTE = "stories.txt: English, by its words [not red]\x1b[31m"
TEXT = "The sea was thick with smoke."


class Recipe:
    """Finds what it was made with, and keeps what it was told."""

    def __init__(self, profiles: list[CorpusProfile], family: Family | None) -> None:
        self.found = Found(profiles, family, [[TextShard((Document(TEXT),))]] * len(profiles), [NOTE])
        self.told: dict[str, Any] = {}

    def __call__(self, *sources: str, **told: Any) -> Found:
        listener = told.pop("listener")
        self.told = {"sources": sources, **told}
        listener(RunEvent(now(), "begin", "count stories.txt", {}))
        listener(RunEvent(now(), "end", "count stories.txt", {"rows": 205}))
        return self.found


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """In place of the recipe: one source."""
    return put(monkeypatch, profile())


def put(monkeypatch: pytest.MonkeyPatch, *profiles: CorpusProfile) -> Recipe:
    recipe = Recipe([*profiles], family_of(profiles) if len(profiles) > 1 else None)
    monkeypatch.setattr("planish.cli.find.run_recipe", recipe)
    monkeypatch.setenv("COLUMNS", "100")
    for source in ("stories.txt", "a", "b", "c"):
        Path(source).write_text(TEXT, encoding="utf-8")
    return recipe


def test_there_is_a_case_for_every_flag() -> None:
    assert list(FLAGS) == [name for name in FindFlags.__dataclass_fields__ if name not in ("json", "quiet")]


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_reaches_the_recipe(flag: str, planish: Planish, one: Recipe) -> None:
    Path("settings.toml").write_text("samples = 5\nsources = ['other']\n\n[sampling]\ntop_p = 0.9\n")
    typed, told = FLAGS[flag]
    assert planish("find", "stories.txt", *typed).code == 0
    assert one.told == {"sources": ("stories.txt",), "out": None, **told}


def test_all_sources_reach_the_recipe_in_their_order(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = put(monkeypatch, profile("b"), profile("a"))
    assert planish("find", "b", "a").code == 0
    assert recipe.told["sources"] == ("b", "a")


def test_the_table_says_what_is_overused_how_sure_that_is_and_what_else_was_counted(
    planish: Planish, one: Recipe
) -> None:
    ended = planish("find", "stories.txt")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].startswith("stories.txt overuses “a testament to” most: 50 × as often as people. 3 entries")
    row = next(line for line in lines if line.startswith("thick with"))
    assert row.split()[2:] == ["1,234", "56", "0.5", "(0.4", "to", "0.625)", "0.01", "50", "×", "0.0123"]
    for counted in ("not X but Y", "variety of words (MATTR), share", "0.625 (0.5 to 0.75)", "1a2b3c4d"):
        assert counted in ended.out
    assert "\x1b" not in ended.out


def test_only_so_many_entries_are_shown_and_the_others_are_counted(planish: Planish, one: Recipe) -> None:
    assert "and 2 more" in planish("find", "stories.txt", "--top", 1).out
    whole = planish("find", "stories.txt", "--top", 3).out
    assert "tang of" in whole
    assert "more:" not in whole


def test_what_was_left_out_is_told_by_reason(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, profile(left_out={"empty": 2, "not UTF-8": 1}))
    assert "left out or mended: 2 × empty, 1 × not UTF-8" in planish("find", "stories.txt").out


@pytest.mark.parametrize(("texts", "is_few"), [(1, True), (HANDFUL - 1, True), (HANDFUL, False)])
def test_few_texts_are_said_to_conclude_nothing_and_the_rest_is_shown(
    planish: Planish, monkeypatch: pytest.MonkeyPatch, texts: int, is_few: bool
) -> None:
    put(monkeypatch, profile(overused=[], texts=texts))
    ended = planish("find", "stories.txt")
    assert ended.code == 0
    assert ("cannot be told from" in ended.out) == is_few
    assert "nothing is surely overused" in ended.out
    assert "not X but Y" in ended.out
    assert "8.12" in ended.out


def test_the_index_alone_is_shown_with_the_list_that_it_counts(planish: Planish, one: Recipe) -> None:
    out = planish("find", "--index", "stories.txt").out
    assert "8.12 (6.5 to 10.2)" in out
    assert "197,832" in out
    assert "1a2b3c4d" in out
    assert "testament" not in out
    printed = json.loads(planish("find", "--index", "stories.txt", "--json").out)
    index = rate("slop_index", 8.125).model_dump()
    assert printed == {"index": [{"source": "stories.txt", **index, "version": "1a2b3c4d"}]}


def test_several_sources_stand_side_by_side(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, profile("b", ["sigh", "gaze"]), profile("a", ["sigh", "gaze"]), profile("c", ["sigh", "hum"]))
    out = planish("find", "b", "a", "c").out
    assert "1 stand on all lists, 1 more on most, and 1 are the mark of one source" in out
    assert [line.split()[:2] for line in out.splitlines() if line.startswith(("1 ", "2 ", "3 "))] == [
        ["1", "a"],
        ["2", "b"],
        ["3", "c"],
    ]
    shared = out.split("shared")[1].split("only")[0]
    assert [line.split() for line in shared.splitlines()[1:3]] == [["sigh", "1", "1", "1"], ["gaze", "1", "1", "0.1"]]
    assert "only 3 c: “hum”" in out
    assert "only 1 a: nothing" in out
    assert out.splitlines()[-4:] == ["0.67 ┬ c", "     └ 0.00 ┬ a", "            └ b", harmless(NOTE)]


def test_a_tree_has_a_line_for_each_source_however_it_branches() -> None:
    related = family_of([profile(name, [*name, "sigh"]) for name in ("ab", "ac", "xy", "xz", "q")])
    lines = tree_lines(related)
    assert sorted(line.split()[-1] for line in lines) == sorted(related.names)
    assert sum(line.count("┬") for line in lines) == sum(line.count("└") for line in lines) == 4


def test_json_is_all_that_was_found_and_nothing_else(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = put(monkeypatch, profile("a"), profile("b"))
    printed = json.loads(planish("find", "a", "b", "--json").out)
    assert [CorpusProfile.model_validate(line) for line in printed["profiles"]] == recipe.found.profiles
    assert Family.model_validate(printed["family"]) == recipe.found.family
    put(monkeypatch, profile())
    assert json.loads(planish("find", "stories.txt", "--json").out)["family"] is None


def test_progress_and_speed_are_on_standard_error_and_quiet_leaves_them_out(planish: Planish, one: Recipe) -> None:
    ended = planish("find", "stories.txt")
    assert "count stories.txt: 205 rows" in ended.err
    assert "197,832 words in" in ended.err.splitlines()[-1]
    assert "words a second" in ended.err.splitlines()[-1]
    assert planish("find", "stories.txt", "--quiet").err == ""


def test_a_terminal_obeys_nothing_that_was_read(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = [profile(f"{name}{OBEYED}", [OBEYED, "sigh"], left_out={OBEYED: 1}, structure=OBEYED) for name in "ab"]
    for profiles in (hostile[:1], hostile):
        put(monkeypatch, *profiles)
        for flags in ([], ["--index"]):
            ended = planish("find", "a", *flags)
            assert ended.code == 0
            assert not {"\x1b", "\u202e"} & set(ended.out)
            assert "[bold]loud" in ended.out


def test_the_last_line_says_where_the_page_is(planish: Planish) -> None:
    Path("stories.txt").write_text("\n\n".join([TEXT] * 30), encoding="utf-8")
    ended = planish("find", "stories.txt", "--processes", 1, "--out", "new/folder")
    label, _, page = ended.out.splitlines()[-1].partition(": ")
    assert (label, page) == ("report", "new/folder/report.html")
    assert "stories.txt" in Path(page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("least_shore=0.1", ["'least_shore'", "'least_share'"]),
        ("least_share=2", ["least_share", "2"]),
        ("processes=0", ["processes", "0"]),
        ("seed=-1", ["seed", "-1"]),
        ("limit", ["limit", "KEY=VALUE"]),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_write(planish: Planish, setting: str, named: list[str]) -> None:
    error = planish.fails(2, "find", "stories.txt", "--set", setting)
    assert all(name in error for name in named)


def test_no_source_is_a_usage_error(planish: Planish) -> None:
    assert planish("find").code == 2


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("nowhere.txt", None, "nowhere.txt"),
        ("empty.txt", "", "empty.txt"),
        ("blank.txt", " \n\n ", "blank.txt"),
        ("rows.jsonl", '{"verse": "A mouse."}\n', "--text-column"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(planish: Planish, name: str, content: str | None, named: str) -> None:
    if content is not None:
        Path(name).write_text(content, encoding="utf-8")
    assert named in planish.fails(1, "find", name)


def test_a_column_that_is_not_there_is_named_with_those_that_are(planish: Planish) -> None:
    Path("rows.jsonl").write_text('{"story": "A mouse."}\n', encoding="utf-8")
    error = planish.fails(1, "find", "rows.jsonl", "--text-column", "tale")
    assert "tale" in error
    assert "story" in error


@pytest.mark.parametrize("flag", ["--baseline", "--index-list", "--config"])
def test_a_file_that_is_not_there_is_named(planish: Planish, flag: str) -> None:
    Path("stories.txt").write_text(TEXT)
    ended = planish("find", "stories.txt", flag, "nowhere.jsonl")
    assert ended.code in (1, 2)
    assert ended.out == ""
    assert "nowhere.jsonl" in ended.err
    assert "Traceback" not in ended.err


def test_a_folder_that_cannot_be_made_costs_no_work(planish: Planish, one: Recipe) -> None:
    assert "stories.txt" in planish.fails(2, "find", "stories.txt", "--out", "stories.txt/out")
    assert one.told == {}


def test_planted_tics_are_found_in_a_file_shown_and_saved(planish: Planish) -> None:
    plain = [f"On day {number} the keeper of the lamp went to town and came home late." for number in range(40)]
    texts = [f"{text} A flurb of gossamer hung there. She felt the flurb of gossamer." for text in plain]
    Path("rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    ended = planish("find", "rows.jsonl", "--processes", 1, "--out", "found")
    assert ended.code == 0
    assert "flurb of gossamer" in ended.out
    assert "flurb of gossamer" in [rule.text for rule in read_rules(Path("found/bans.jsonl"))]
    kept = CorpusProfile.model_validate_json(Path("found/profile.json").read_text(encoding="utf-8"))
    assert kept.texts == 40
    page = Path("found/report.html").read_text(encoding="utf-8")
    assert "A <mark>flurb of gossamer</mark> hung there." in page


def test_the_same_from_one_and_from_two_processes(planish: Planish) -> None:
    Path("story.txt").write_text("\n\n".join([TEXT] * 30), encoding="utf-8")
    alone, two = (planish("find", "story.txt", "--json", "--processes", count).out for count in (1, 2))
    assert alone == two
    assert json.loads(alone)["profiles"][0]["words"] == 180


def test_a_hostile_file_is_counted_and_its_page_is_plain(planish: Planish) -> None:
    line = "<script>alert(1)</script> thick with smoke " * 250_000
    Path("long.txt").write_text(line + "\x1b[31m \u202e", encoding="utf-8")
    ended = planish("find", "long.txt", "--processes", 1, "--out", "found")
    assert ended.code == 0
    assert "\x1b" not in ended.out
    page = Path("found/report.html").read_bytes()
    assert b"<script" not in page
    assert len(page) < 5_000_000
