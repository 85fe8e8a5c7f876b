"""A run of autoif from end to end, on a random model."""

import html
import json
import re
import shlex
from collections import defaultdict
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from antislop_run import contents
from autoif_run import HELD_OUT_KINDS, KINDS, SMALL, small_autoif
from served_model import served_by

import planish
from fake_converter import install_converter
from fake_server import fake_server
from planish.config import merge_settings, parse_settings
from planish.errors import DataError, MissingPackageError, PlanishError, UsageError
from planish.find.instructions import BrokenInstructions, ask, parse_constraint
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tiny import tiny_llama
from planish.prove.lift import LIFT, PASS_RATE, Asked, Judged
from planish.prove.wording import plain_name
from planish.recipes import autoif_inputs
from planish.recipes.autoif_evidence import BY_KIND, CONTROL, GROUPS, kind_lines
from planish.recipes.autoif_report import command
from planish.recipes.autoif_settings import STAGES, AutoifSettings, SweepSettings
from planish.recipes.autoif_sweep import FIGURES, sweep
from planish.recipes.outcome import Outcome
from planish.recipes.presets import preset
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference, Side
from planish.records.prompt import Prompt
from planish.records.record import read_records
from planish.runs.event import RunEvent
from planish.runs.layout import stage_folders, stage_name
from planish.train.dpo import DpoSettings

# Of a prompt without its instruction, what the one with it begins with; the end of the turn may differ.
LEAST_COMMON = 0.9
SHARED = Path(__file__).parents[3] / "shared" / "data"
CHAT = "{% for turn in messages %}<s>{{ turn.role }}: {{ turn.content }}{% endfor %}<s>"
ASKED = {"until": "instructions"}
QUICK = {"until": "write"}
PAIRED = {"until": "pair"}
TRAINED = {"until": "train"}

# What a model writes, and which one, is tested in test_autoif_written.py; what changes how a run goes, and not what it
# comes to, in test_writer.py; what is made of the model afterwards has tests of its own below.
ELSEWHERE = ["instructions", "generator", "generator_model", "replay", "written", "sandbox"]
ELSEWHERE += ["concurrency", "gguf", "benchmarks", "ifeval", "hellaswag", "benchmark_limit"]
# For every key, settings under which it must matter, and a value that is not the one it has there.
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "engine": (QUICK, "server"),
    "model": (QUICK, "other"),
    "prompts": (ASKED, "prompts.txt"),
    "limit": (ASKED, 11),
    "system": ({**QUICK, "model": "chat"}, "You are a pirate."),
    "device": (ASKED, "abacus"),
    "seed": (ASKED, 1),
    "kinds": (ASKED, ("question",)),
    "held_out_kinds": (ASKED, ("question",)),
    "most_constraints": (ASKED, 3),
    "samples": (QUICK, 7),
    "sampling": (QUICK, {"max_tokens": 9}),
    "block": (QUICK, 6),
    "max_failures": ({**QUICK, "prompts": "one-too-long.txt"}, 0.0),
    "crossed": (PAIRED, True),
    "crossings": ({**PAIRED, "crossed": True}, 1),
    "near_misses": (PAIRED, 1),
    "relaxed": (PAIRED, 2),
    "pairing": (PAIRED, {"most_pairs": 1}),
    "dpo": (TRAINED, {"epochs": 2}),
    "sweep": ({}, {"betas": (0.5,)}),
    "control": ({}, True),
    "judged_kinds": (ASKED, 1),
    "judged_samples": ({}, 2),
    "reference_text": ({}, "human.txt"),
    "until": (ASKED, "write"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a setting may name."""
    folder = tmp_path_factory.mktemp("files")
    tiny_llama(seed=1).save(folder / "other")
    chat = tiny_llama()
    chat.tokenizer.chat_template = CHAT
    chat.save(folder / "chat")
    lines = [f"Write a story about the number {number}." for number in range(12)]
    (folder / "prompts.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "one-too-long.txt").write_text("\n".join([*lines[:5], "long " * 200]), encoding="utf-8")
    (folder / "human.txt").write_text("".join(f"A parrot said {number}.\n" for number in range(50)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A whole run, of the settings that the cases with an empty dictionary have."""
    return small_autoif(tmp_path_factory.mktemp("done"))


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A whole run with crossed answers, a control and two other trainings."""
    settings = {"crossed": True, "control": True, "sweep": {"betas": (0.5, 0.5), "likelihoods": (0.0, 1.0)}}
    return small_autoif(tmp_path_factory.mktemp("tried"), **settings)


@pytest.fixture(scope="module")
def plain_runs(tmp_path_factory: pytest.TempPathFactory, files: Path, done: Outcome) -> Callable[..., Any]:
    """What a run of some settings comes to, made once."""
    known = {"{}": _stages(done)}

    def of(settings: dict[str, Any]) -> Any:
        if repr(settings) not in known:
            known[repr(settings)] = _comes_to(tmp_path_factory.mktemp("plain"), _named(settings, files))
        return known[repr(settings)]

    return of


def test_there_is_a_case_for_every_setting() -> None:
    assert sorted([*CASES, *ELSEWHERE]) == sorted(AutoifSettings.model_fields)


@pytest.mark.parametrize("key", CASES)
def test_every_setting_changes_what_the_run_comes_to(
    key: str, files: Path, plain_runs: Callable[..., Any], tmp_path: Path, tiny: LanguageModel
) -> None:
    settings, other = CASES[key]
    plain = plain_runs(settings)
    assert isinstance(plain, dict), plain
    with fake_server(served_by(tiny)) as server:
        given = {**settings, key: server.url if key == "engine" else other}
        assert plain != _comes_to(tmp_path, _named(given, files))


@pytest.mark.parametrize("key", [*AutoifSettings.model_fields, "sampling.top_p", "written.vetting.seed", "sweep.betas"])
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key: str) -> None:
    with pytest.raises(UsageError, match=re.escape(key)) as caught:
        AutoifSettings.from_user(parse_settings([f"{key}x=1"]))
    assert repr(key) in caught.value.hint


@pytest.mark.parametrize("until", [stage for stage in STAGES if stage != "prove"])
def test_a_run_ends_where_it_is_told_to(until: str, tmp_path: Path) -> None:
    outcome = small_autoif(tmp_path, until=until)
    begun = [stage_name(folder) for folder in stage_folders(tmp_path)]
    assert begun == list(STAGES[: STAGES.index(until) + 1])
    assert (tmp_path / "done.json").is_file()
    assert (outcome.model is not None) == (until == "train")
    assert not outcome.evidence


def test_a_run_that_ended_early_goes_on_to_its_end(tmp_path: Path, done: Outcome) -> None:
    for until in ("write", "train", "prove"):
        outcome = small_autoif(tmp_path, until=until)
    assert done.folder is not None
    assert (outcome.evidence, outcome.notes) == (done.evidence, done.notes)
    assert contents(tmp_path) == contents(done.folder)


def test_a_finished_run_is_read_and_not_made_again(done: Outcome) -> None:
    assert done.folder is not None
    events: list[RunEvent] = []
    before = contents(done.folder)
    again = small_autoif(done.folder, events.append)
    assert {event.kind for event in events} <= {"start", "expect", "finish"}
    assert (again.evidence, again.rows, again.notes) == (done.evidence, done.rows, done.notes)
    assert contents(done.folder) == before


def test_the_headline_is_what_the_texts_say(done: Outcome) -> None:
    for side, group in GROUPS.items():
        line = _line(done, LIFT, group)
        figures = [_lift(done, stage, KINDS if side == "trained" else HELD_OUT_KINDS) for stage in ("before", "after")]
        assert [line.before, line.after] == pytest.approx(figures)
    assert done.evidence[0] == _line(done, LIFT, GROUPS["trained"])
    for spelled in (*KINDS, *HELD_OUT_KINDS):
        line = _line(done, spelled, BY_KIND)
        assert line.after == pytest.approx(_lift(done, "after", (spelled,)))


def test_every_line_counts_the_held_out_prompts(done: Outcome) -> None:
    names = [line.name for line in done.evidence]
    assert {LIFT, PASS_RATE, "perplexity_reference", "kl_per_token", "distinct_2", "words_per_text"} <= set(names)
    assert {"repetition", "refusal_share"} <= set(names)
    for line in done.evidence:
        assert line.low <= line.difference <= line.high
        if line.group in (*GROUPS.values(), "held-out prompts"):
            assert line.n == 4
    assert _line(done, "kl_per_token").after > 0


def test_nothing_that_judges_was_learned_from(done: Outcome) -> None:
    judging = {text.prompt_id for text in _texts(done, "before")}
    prompts = {prompt.id: prompt for prompt in done.rows["prompts"] if isinstance(prompt, Prompt)}
    pairs = [pair for pair in done.rows["pairs"] if isinstance(pair, CompletionPreference)]
    assert pairs
    assert {spelled for pair in pairs for spelled in pair.verifiers} <= set(KINDS)
    asked = {spelled for prompt in judging for spelled in prompts[prompt].constraints}
    assert asked == {*KINDS, *HELD_OUT_KINDS}

    held_out = {_query(prompts[prompt].content) for prompt in judging}
    assert len(held_out) == 4
    assert held_out.isdisjoint(_query(_said(pair.prompt)) for pair in pairs)


def test_in_every_pair_the_chosen_answer_passes_and_the_rejected_does_not(done: Outcome, tried: Outcome) -> None:
    for outcome in (done, tried):
        for pair in outcome.rows["pairs"]:
            assert isinstance(pair, CompletionPreference)
            constraints = [parse_constraint(spelled) for spelled in pair.verifiers]
            assert all(constraint.holds(_said(pair.chosen)) for constraint in constraints)
            assert not all(constraint.holds(_said(pair.rejected)) for constraint in constraints)


def test_both_sides_have_the_same_prompts_samples_and_seeds(done: Outcome, tiny: LanguageModel) -> None:
    before, after = _texts(done, "before"), _texts(done, "after")
    assert [(text.prompt_id, text.sample, text.seed) for text in before] == [
        (text.prompt_id, text.sample, text.seed) for text in after
    ]
    assert done.model is not None
    assert {text.model_hash for text in before} == {tiny.model_hash}
    assert {text.model_hash for text in after} == {done.model.model_hash} != {tiny.model_hash}


def test_near_misses_and_relaxed_answers_join_the_pairs(tmp_path: Path) -> None:
    counts = {}
    for name, settings in {"plain": {}, "near": {"near_misses": 2}, "relaxed": {"relaxed": 6}}.items():
        outcome = small_autoif(tmp_path / name, **PAIRED, most_constraints=2, **settings)
        counts[name] = len(outcome.rows["pairs"])
    assert counts["near"] > counts["plain"]
    assert counts["relaxed"] >= counts["plain"]
    relaxed = _rows(tmp_path / "relaxed", "relax", Generation)
    asked = {prompt.id for prompt in _rows(tmp_path / "relaxed", "instructions", Prompt)}
    assert relaxed
    assert asked.isdisjoint(text.prompt_id for text in relaxed)


def test_crossed_answers_are_written_for_prompts_that_ask_for_nothing(tried: Outcome) -> None:
    assert tried.folder is not None
    written = {text.prompt_id for text in _rows(tried.folder, "write", Generation)}
    asked = {prompt.id for prompt in tried.rows["prompts"] if isinstance(prompt, Prompt)}
    assert len(written) == 8
    assert written.isdisjoint(asked)
    groups = defaultdict(list)
    for pair in tried.rows["pairs"]:
        assert isinstance(pair, CompletionPreference)
        groups[pair.group].append((pair.chosen, pair.rejected))
    assert all(one == other[::-1] for one, other in groups.values())


def test_a_control_trains_on_pairs_that_say_nothing_and_has_its_own_line(tried: Outcome) -> None:
    line = _line(tried, LIFT, CONTROL)
    assert (line.better, line.n) == ("same", 4)
    assert line.margin is not None
    assert tried.folder is not None
    names = [stage_name(folder) for folder in stage_folders(tried.folder)]
    assert names.index("evidence") < names.index("control") < names.index("model")
    steps = [json.loads(_made(tried.folder, stage, "training.json").read_text()) for stage in ("train", "control")]
    assert steps[0] != steps[1]


def test_other_trainings_are_measured_as_the_one_that_is_kept(tried: Outcome) -> None:
    assert tried.folder is not None
    names = [stage_name(folder) for folder in stage_folders(tried.folder)]
    assert [name for name in names if re.fullmatch(r"sweep-[\d.]+-\d", name)] == ["sweep-0.5-0", "sweep-0.5-1"]
    page = html.unescape((tried.folder / "report.html").read_text(encoding="utf-8"))
    assert "Other trainings" in page
    lines = [_rows(tried.folder, f"sweep-0.5-{likelihood}-evidence", Evidence) for likelihood in (0, 1)]
    assert lines[0] != lines[1]
    for found in lines:
        assert {line.name for line in found} >= set(FIGURES)
        assert [line.before for line in found if line.name == LIFT] == [tried.evidence[0].before]


def test_every_combination_is_swept_once_and_an_empty_list_keeps_its_value() -> None:
    asked: list[tuple[str, DpoSettings]] = []

    def tried(name: str, dpo: DpoSettings) -> list[Evidence]:
        asked.append((name, dpo))
        figures = {"unit": "", "group": "", "judge": "", "change": None, "change_low": None, "change_high": None}
        sizes = {"before": 7, "after": dpo.beta, "difference": 0, "low": 0, "high": 0, "n": 1}
        parts = {"better": "same", "margin": None, "verdict": "unclear"}
        return [Evidence.model_validate({"name": name, **figures, **sizes, **parts}) for name in FIGURES]

    kept = DpoSettings(beta=0.3, likelihood=0.7, epochs=5)
    assert sweep(SweepSettings(), kept, tried) == []
    assert asked == []
    rows = sweep(SweepSettings(betas=(0.1, 0.2, 0.1), likelihoods=(0.0, 1.0)), kept, tried)
    assert [(dpo.beta, dpo.likelihood, dpo.epochs) for _, dpo in asked] == [
        (0.1, 0, 5), (0.1, 1, 5), (0.2, 0, 5), (0.2, 1, 5)
    ]  # fmt: skip
    assert len({name for name, _ in asked}) == 4
    assert [row[LIFT] for row in rows] == [7, 0.1, 0.1, 0.2, 0.2]
    assert [row["beta"] for row in rows] == ["before", "0.1", "0.1", "0.2", "0.2"]
    asked.clear()
    assert len(sweep(SweepSettings(betas=(0.1,)), kept, tried)) == 2
    assert len(sweep(SweepSettings(likelihoods=(0.1,)), kept, tried)) == 2
    assert [(dpo.beta, dpo.likelihood) for _, dpo in asked] == [(0.1, 0.7), (0.3, 0.1)]


@pytest.mark.parametrize(("key", "value"), [("betas", [0.0]), ("likelihoods", [-1.0])])
def test_what_cannot_be_swept_is_refused(key: str, value: list[float]) -> None:
    with pytest.raises(UsageError, match=f"sweep.{key}"):
        AutoifSettings.from_user({"model": "tiny", "sweep": {key: value}})


def test_the_report_is_one_page_with_everything_in_it(done: Outcome) -> None:
    assert done.folder is not None
    source = (done.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<(link|iframe|img|script)\b[^>]*\b(src|href)\s*=", source)
    assert not re.search(r"url\(\s*['\"]?(?!#|data:)", source)
    page = html.unescape(source)
    for line in done.evidence:
        assert plain_name(line) in page
    for text in ("What became likelier", "How it was trained", "planish autoif tiny", *done.notes):
        assert text in page, text
    judging = {text.prompt_id for text in _texts(done, "before")}
    asked = [prompt for prompt in done.rows["prompts"] if isinstance(prompt, Prompt) and prompt.id in judging]
    assert any(prompt.content in page for prompt in asked)


def test_the_card_names_every_line_and_no_place_on_this_machine(files: Path, tmp_path: Path, done: Outcome) -> None:
    assert done.adapter is not None
    card = (done.adapter.parent / "README.md").read_text(encoding="utf-8")
    assert all(line.name in card.replace("\\", "") for line in done.evidence)
    tiny_llama().save(tmp_path / "a-model")
    given = {"prompts": str(files / "prompts.txt"), "reference_text": str(files / "human.txt")}
    outcome = small_autoif(tmp_path / "run", model=str(tmp_path / "a-model"), **given)
    assert outcome.adapter is not None
    card = (outcome.adapter.parent / "README.md").read_text(encoding="utf-8")
    assert "planish autoif a-model --set " in card
    assert "prompts.txt" in card
    assert str(tmp_path) not in card
    assert str(files) not in card


def test_the_saved_model_is_the_tuned_one(done: Outcome, tiny: LanguageModel) -> None:
    assert done.adapter is not None
    assert done.model is not None
    ids = torch.arange(3, 60)[None]
    with torch.no_grad():
        saved = load_model(str(done.adapter.parent)).model(input_ids=ids).logits
        tuned = done.model.model(input_ids=ids).logits
        plain = tiny.model(input_ids=ids).logits
    assert torch.allclose(saved, tuned, atol=1e-4)
    assert not torch.equal(saved, plain)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"model": "bundled", "crossed": False, "kinds": (), "dpo": {"beta": 0.1}},
        {
            "model": "my models/one",
            "system": 'You\'re a "pirate" = 7.\nArr!',
            "kinds": ['at_most_words{"count": 5}', "no_commas"],
            "sampling": {"max_tokens": 7, "stop": ["$HOME", "###"]},
            "dpo": {"learning_rate": 1e-5},
            "sweep": {"betas": [0.1, 1.0]},
            "instructions": "written",
            "written": {"vetting": {"seed": 3}},
            "seed": 0,
        },
    ],
)
def test_the_command_in_the_report_gives_the_same_settings(changed: dict[str, Any]) -> None:
    named = {"model": "tiny", **changed}
    settings = AutoifSettings.from_user(merge_settings(preset("autoif", named["model"]), named))
    program, verb, model, *assignments = shlex.split(command(settings))
    assert (program, verb) == ("planish", "autoif")
    assert set(assignments[::2]) <= {"--set"}
    layers = [preset("autoif", model), parse_settings(assignments[1::2]), {"model": model}]
    assert AutoifSettings.from_user(merge_settings(*layers)) == settings


def test_a_model_that_ships_has_settings_of_its_own_and_others_have_none() -> None:
    assert preset("autoif", "tiny") == preset("autoif", "nobody/nothing") == preset("antislop", "bundled") == {}
    own = AutoifSettings.from_user({**preset("autoif", "bundled"), "model": "bundled"})
    assert own.crossed
    assert own.held_out_kinds


def test_from_python_it_is_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = planish.autoif("tiny", **SMALL, until="instructions")
    assert outcome.folder == Path("runs/autoif-tiny")
    assert len(outcome.rows["prompts"]) == 8 + 4 * 2 * 2
    again = planish.resume("latest", until="write")
    assert again.folder == outcome.folder
    assert [stage_name(folder) for folder in stage_folders(outcome.folder)] == ["instructions", "write"]
    # The preset is below what is given.
    outcome = planish.autoif("bundled", **SMALL, until="instructions", out=tmp_path / "own")
    assert "crossed = true" in (tmp_path / "own/config.toml").read_text()
    assert "max_tokens = 24" in (tmp_path / "own/config.toml").read_text()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 3}, "seed was 0, now 3"),
        ({"samples": 5}, "samples was 6, now 5"),
        ({"kinds": ("question",)}, "kinds was"),
        ({"dpo": {"epochs": 2}}, r"dpo\.epochs was 1, now 2"),
        ({"control": True}, "control was false, now true"),
        ({"model": "other"}, "model was"),
    ],
)
def test_a_run_with_other_settings_is_refused_by_the_setting(
    changed: dict[str, Any], named: str, files: Path, done: Outcome
) -> None:
    assert done.folder is not None
    with pytest.raises(UsageError, match=named):
        small_autoif(done.folder, **_named(changed, files))


def test_what_was_not_used_yet_may_still_change(tmp_path: Path) -> None:
    small_autoif(tmp_path, **QUICK)
    small_autoif(tmp_path, **TRAINED, dpo={"epochs": 2}, max_failures=0.1, benchmarks=("ifeval",), benchmark_limit=2)
    with pytest.raises(UsageError, match=r"dpo\.epochs was 2, now 3"):
        small_autoif(tmp_path, dpo={"epochs": 3})


def test_prompts_that_changed_under_the_same_name_are_refused(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    settings = {**ASKED, "prompts": str(prompts)}
    prompts.write_text("\n".join(f"Tale 1 of {other}." for other in range(6)), encoding="utf-8")
    small_autoif(tmp_path / "run", **settings)
    prompts.write_text("\n".join(f"Tale 2 of {other}." for other in range(6)), encoding="utf-8")
    with pytest.raises(UsageError, match=r"fingerprint\.prompts"):
        small_autoif(tmp_path / "run", **settings)


@pytest.mark.parametrize("key", ["prompts", "reference_text", "ifeval"])
def test_a_file_that_is_not_there_is_named_before_anything_is_written(key: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        small_autoif(tmp_path / "run", benchmarks=("ifeval",), **{key: str(tmp_path / "nowhere.jsonl")})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"crossed": True, "instructions": "written"}, "crossed"),
        ({"crossed": True, "near_misses": 2}, "near_misses = 2"),
        ({"crossed": True, "relaxed": 2}, "relaxed = 2"),
        ({"crossed": True, "most_constraints": 2}, "most_constraints = 2"),
        ({"instructions": "written", "near_misses": 2}, "near_misses = 2"),
        ({"generator": "http://localhost:8000/v1"}, "generator = "),
        ({"kinds": ("no_commas",), "held_out_kinds": ("no_commas",)}, "both used and held out"),
        ({"system": "Be brief."}, "no chat template"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_anything_is_written(
    settings: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        small_autoif(tmp_path / "run", **settings)
    assert caught.value.hint
    assert not (tmp_path / "run").exists()


def test_without_an_answer_that_passes_there_is_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no prompt got both"):
        small_autoif(tmp_path, kinds=("json_only",))
    assert [stage_name(folder) for folder in stage_folders(tmp_path)] == ["instructions", "write", "pair"]
    assert not (tmp_path / "done.json").exists()


def test_one_prompt_that_is_too_long_stops_nothing(files: Path, tmp_path: Path) -> None:
    outcome = small_autoif(tmp_path, prompts=str(files / "one-too-long.txt"), samples=12, judged_kinds=4)
    failed = [text for text in _rows(tmp_path, "write", Generation) if text.status == "failed"]
    failed += [text for text in _texts(outcome, "before") if text.status == "failed"]
    assert failed
    judged = {text.prompt_id for text in _rows(tmp_path, "before-plain", Generation) if text.status == "ok"}
    assert outcome.evidence[0].n == len(judged)


def test_a_kind_whose_texts_all_failed_stops_nothing() -> None:
    plain = Prompt(text="Tell of tea.")
    asked = [Asked(ask(plain, [parse_constraint(kind)]), plain, kind) for kind in KINDS[:2]]
    lost, kept = (text_for(each.prompt, status) for each, status in zip(asked, ("failed", "ok"), strict=True))
    side = Judged([lost, kept], [text_for(plain, "ok")])
    lines = kind_lines(BrokenInstructions(), {"trained": asked}, side, side)
    assert [line.name for line in lines] == [KINDS[1]]


def text_for(prompt: Prompt, status: str) -> Generation:
    ids: dict[str, Any] = {"prompt_token_ids": (), "token_ids": (), "char_ends": ()}
    parts = {"id": prompt.id, "prompt_id": prompt.id, "sample": 0, "seed": 0, "text": "Tea", "finish": "stop"}
    return Generation.model_validate({**parts, **ids, "status": status})


def test_a_chat_model_is_asked_and_trained_in_turns(files: Path, tmp_path: Path) -> None:
    settings = {"model": str(files / "chat"), "system": "Be brief.", "samples": 10}
    outcome = small_autoif(tmp_path, **settings, **PAIRED)
    chat = load_model(str(files / "chat"))
    for pair in outcome.rows["pairs"]:
        assert isinstance(pair, CompletionPreference)
        assert not isinstance(pair.prompt, str)
        assert [turn.role for turn in pair.prompt] == ["system", "user"]
        assert list(pair.prompt_ids) == chat.encode(Prompt(messages=pair.prompt))


def test_queries_are_taken_from_conversations_and_what_is_skipped_is_said(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"conversations": [{"from": "human", "value": f"Tell of {number}."}, {"from": "gpt", "value": "No."}]}
        for number in range(6)
    ]
    rows.append({"conversations": [{"from": "human", "value": "word " * 2000}]})
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    outcome = small_autoif(tmp_path / "run", prompts=str(path), limit=None, **PAIRED, samples=20)
    assert len({text.prompt_id for text in _rows(tmp_path / "run", "write", Generation)}) == 4
    [note] = [note for note in outcome.notes if note.startswith("skipped: 1 ")]
    assert "talks.jsonl" in note


def test_a_model_is_saved_as_gguf_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    with pytest.raises(PlanishError, match="converter"):
        small_autoif(tmp_path / "run", gguf="q8_0")
    assert not (tmp_path / "run").exists()
    install_converter(tmp_path)
    outcome = small_autoif(tmp_path / "run", gguf="q8_0")
    assert outcome.adapter is not None
    assert {path.name for path in outcome.adapter.parent.glob("*gguf*")} == {"model-q8_0.gguf"}


def test_without_the_extra_benchmarks_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoif_inputs, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError):
        small_autoif(tmp_path / "run", benchmarks=("ifeval",))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "ifeval").is_dir(), reason="the benchmarks are not here")
def test_both_models_are_scored_on_benchmarks_once(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    settings = {
        "benchmarks": ("ifeval", "hellaswag", "ifeval"),
        "ifeval": str(SHARED / "ifeval/ifeval_input_data.jsonl"),
        "hellaswag": str(SHARED / "hellaswag.parquet"),
        "benchmark_limit": 2,
    }
    outcome = small_autoif(tmp_path, **settings)
    names = {line.name for line in outcome.evidence}
    assert {"ifeval_prompt_strict", "ifeval_instruction_loose", "hellaswag_acc_norm"} <= names
    assert {line.n for line in outcome.evidence if line.name.startswith(("ifeval", "hellaswag"))} == {2}
    assert len([line for line in outcome.evidence if line.name == "ifeval_prompt_strict"]) == 1
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "hellaswag" in page.lower()
    events: list[RunEvent] = []
    again = small_autoif(tmp_path, events.append, **settings)
    assert (again.evidence, again.notes) == (outcome.evidence, outcome.notes)
    assert "begin" not in {event.kind for event in events}
    with pytest.raises(UsageError, match="benchmark_limit was 2, now 3"):
        small_autoif(tmp_path, **{**settings, "benchmark_limit": 3})


def _named(settings: dict[str, Any], files: Path) -> dict[str, Any]:
    """Names of files as paths."""
    return {
        key: str(files / value) if isinstance(value, str) and (files / value).exists() else value
        for key, value in settings.items()
    }


def _comes_to(folder: Path, settings: dict[str, Any]) -> Any:
    """What all stages made, or why there is none of it."""
    try:
        return _stages(small_autoif(folder, **settings))
    except PlanishError as error:
        return error.message


def _stages(outcome: Outcome) -> dict[str, bytes]:
    assert outcome.folder is not None
    return contents(outcome.folder / "stages")


def _texts(outcome: Outcome, row: str) -> list[Generation]:
    return [text for text in outcome.rows[row] if isinstance(text, Generation)]


def _line(outcome: Outcome, name: str, group: str | None = None) -> Evidence:
    (found,) = [line for line in outcome.evidence if line.name == name and group in (None, line.group)]
    return found


def _made(folder: Path, stage: str, name: str) -> Path:
    (found,) = [each for each in stage_folders(folder) if stage_name(each) == stage]
    return found / "made" / name


def _rows(folder: Path, stage: str, kind: Any) -> list[Any]:
    (found,) = [each for each in stage_folders(folder) if stage_name(each) == stage]
    return list(read_records(found / "rows.jsonl", kind))


def _said(side: Side) -> str:
    return side if isinstance(side, str) else side[-1].content


def _query(content: str) -> str:
    """The first sentence of our own prompts; what is asked for comes behind it."""
    return re.split(r"(?<=[.?!]) ", content)[0]


def _lift(outcome: Outcome, stage: str, kinds: tuple[str, ...]) -> float:
    """The mean, over instructions, of the share kept when asked less the share kept when not; reckoned by hand."""
    assert outcome.folder is not None
    plain = defaultdict(list)
    for text in _rows(outcome.folder, f"{stage}-plain", Generation):
        plain[text.prompt_token_ids].append(text.text)
    asked = defaultdict(list)
    for text in _rows(outcome.folder, stage, Generation):
        asked[text.prompt_id].append(text)
    prompts = {prompt.id: prompt for prompt in outcome.rows["prompts"] if isinstance(prompt, Prompt)}
    found = []
    for prompt, texts in asked.items():
        [spelled] = prompts[prompt].constraints
        if spelled in kinds:
            # The same query without the instruction is what the ids have in common.
            [unasked] = [side for ids, side in plain.items() if _common(ids, texts[0].prompt_token_ids) > LEAST_COMMON]
            holds = parse_constraint(spelled).holds
            found.append(mean(holds(text.text) for text in texts) - mean(map(holds, unasked)))
    return mean(found)


def _common(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """The share of the first that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))) / len(first)
