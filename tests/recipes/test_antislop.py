import csv
import html
import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from antislop_run import FIND_NOTHING, SMALL, contents, own_behaviour, small_run
from peft import PeftModel
from safetensors.torch import load_file
from served_model import served_by
from transformers import AutoModelForCausalLM

from fake_converter import install_converter
from fake_server import fake_server
from planish.config import parse_settings
from planish.errors import DataError, ModelError, PlanishError, UsageError
from planish.find.own import load_behaviour
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tiny import tiny_llama
from planish.prove.wording import plain_name
from planish.recipes.antislop import antislop
from planish.recipes.antislop_report import reproduce
from planish.recipes.antislop_settings import STAGES, AntislopSettings
from planish.recipes.outcome import Outcome
from planish.recipes.train_data import data_file
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.preference import TokenPreferences
from planish.records.record import read_records
from planish.records.rule import BanRule
from planish.records.score import Failure, Sample, Score
from planish.runs.event import RunEvent
from planish.runs.layout import stage_folders, stage_name
from planish.text.words import WORD
from planish.train.ftpo_import import import_ftpo

CHAT = "{% for turn in messages %}<s>{{ turn.role }}: {{ turn.content }}{% endfor %}<s>"
SHARED = Path(__file__).parents[3] / "shared"
QUICK = {"until": "write", "limit": 6, "samples": 1, "sampling": {"max_tokens": 8}}
IN_FILE = {**QUICK, "prompts": "prompts.txt"}
FOUND = {"until": "find"}
BANNED = {"until": "ban"}

# What changes how a run goes, and not what it comes to, is tested with what it changes: test_writer.py.
# What is made of the model afterwards has a test of its own below.
ELSEWHERE = ["concurrency", "gguf"]
# For every key, settings under which it must matter, and a value that is not the one it has there.
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "engine": (QUICK, "server"),
    "model": (QUICK, "other"),
    "tune_model": ({"until": "mine"}, "other"),
    "prompts": (QUICK, "prompts.txt"),
    "openings": (QUICK, True),
    "first_words": (QUICK, 2),
    "limit": (QUICK, 7),
    "system": ({**QUICK, "model": "chat"}, "You are a pirate."),
    "prompt_template": (QUICK, "Sing: {prompt}"),
    "baseline": (FOUND, "human.txt"),
    "ban": (FOUND, "bans.txt"),
    "whitelist": (FOUND, ("r",)),
    "behaviour": (BANNED, "letters"),
    "own_only": ({**FOUND, "ban": "bans.txt"}, True),
    "index": ({}, "bans.txt"),
    "reference_text": ({}, "human.txt"),
    "device": (QUICK, "abacus"),
    "seed": (QUICK, 1),
    "samples": (QUICK, 2),
    "block": (QUICK, 2),
    "max_failures": ({**IN_FILE, "prompts": "one-too-long.txt"}, 0.0),
    "sampling": (QUICK, {"max_tokens": 7}),
    "iterations": (BANNED, 2),
    "least_ratio": (FOUND, 1),
    "least_share": (FOUND, 0.5),
    "false_discovery_rate": (FOUND, 1e-6),
    "mine": ({"until": "mine"}, "spans"),
    "tuner": ({"until": "mine"}, "dpo"),
    "ftpo": ({"until": "train"}, {"epochs": 1}),
    "dpo": ({"until": "train", "tuner": "dpo"}, {"epochs": 1}),
    "front": ({}, (0.9,)),
    "target": ({}, 0.01),
    "until": (QUICK, "find"),
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
    (folder / "human.txt").write_text(
        "".join(f"r r r k r k, said parrot {number}.\n" for number in range(50)), encoding="utf-8"
    )
    (folder / "bans.txt").write_text("# letters\np\nng: h\nre: [0-9]\n", encoding="utf-8")
    own_behaviour(folder)
    return folder


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A whole run, of the settings that the cases with an empty dictionary have."""
    return small_run(tmp_path_factory.mktemp("done"))


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
    assert sorted([*CASES, *ELSEWHERE]) == sorted(AntislopSettings.model_fields)


@pytest.mark.parametrize("key", CASES)
def test_every_setting_changes_what_the_run_comes_to(
    key: str, files: Path, plain_runs: Callable[..., Any], tmp_path: Path, tiny: LanguageModel
) -> None:
    settings, other = CASES[key]
    with fake_server(served_by(tiny)) as server:
        given = {**settings, key: server.url if key == "engine" else other}
        assert plain_runs(settings) != _comes_to(tmp_path, _named(given, files))


@pytest.mark.parametrize("key", [*AntislopSettings.model_fields, "sampling.top_p", "ftpo.margin"])
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key: str) -> None:
    with pytest.raises(UsageError, match=key) as caught:
        AntislopSettings.from_user(parse_settings([f"{key}x=1"]))
    assert repr(key) in caught.value.hint


@pytest.mark.parametrize("until", [stage for stage in STAGES if stage != "prove"])
def test_a_run_ends_where_it_is_told_to(until: str, tmp_path: Path) -> None:
    outcome = small_run(tmp_path, until=until)
    begun = [stage_name(folder).partition("-")[0] for folder in stage_folders(tmp_path)]
    assert begun == list(STAGES[: STAGES.index(until) + 1])
    assert (tmp_path / "done.json").is_file()
    assert (outcome.model is not None) == (until == "train")
    assert not outcome.evidence


def test_a_users_own_rules_are_banned_mined_and_judged(files: Path, tmp_path: Path) -> None:
    outcome = small_run(tmp_path, ban=str(files / "bans.txt"), **FIND_NOTHING)
    assert [(rule.kind, rule.text) for rule in _bans(outcome)] == [("phrase", "p"), ("ngram", "h"), ("regex", "[0-9]")]

    def hits(text: str) -> int:
        letters = len(re.findall(r"(?<!\w)p(?!\w)", text, re.IGNORECASE))
        return letters + [word.lower() for word in WORD.findall(text)].count("h") + len(re.findall("[0-9]", text))

    assert any(hits(text.text) for text in _texts(outcome, "plain"))
    for text in _texts(outcome, "banned"):
        assert hits(text.text) <= sum(event.let_pass for event in text.events)
    assert {point.rule for path in _mined(tmp_path) for point in path.points} == {"p", "h", "[0-9]"}
    line = _line(outcome, "slop_per_1k_words")
    for side, figure in (("before", line.before), ("after", line.after)):
        words = sum(len(WORD.findall(text.text)) for text in _texts(outcome, side))
        assert figure == pytest.approx(1000 * sum(hits(text.text) for text in _texts(outcome, side)) / words)


def test_what_is_whitelisted_is_not_listed(tmp_path: Path, done: Outcome) -> None:
    listed = [rule.text for rule in _bans(done)]
    allowed = [rule.text for rule in _bans(small_run(tmp_path, whitelist=("R", "z"), until="find"))]
    assert {"r", "z"} <= set(listed)
    assert set(allowed) == set(listed) - {"r", "z"}


def test_refused_answers_count_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: Outcome) -> None:
    refused = _texts(done, "plain")[0].prompt_id

    class OnePromptIsRefused:
        def score(self, samples: list[Sample]) -> list[Score | Failure]:
            return [
                Score(
                    generation_id=sample.generation_id,
                    behaviour="refusals",
                    version="",
                    value=float(sample.prompt.id == refused),
                    hits=0,
                    words=1,
                )
                for sample in samples
            ]

    monkeypatch.setattr("planish.recipes.antislop.Refusals", OnePromptIsRefused)
    outcome = small_run(tmp_path, until="mine", least_ratio=1)
    assert all("of 21 texts" in rule.reason for rule in _bans(outcome))
    mined = {path.generation_id for path in _mined(tmp_path)}
    asked = {text.id: text.prompt_id for text in (*_texts(outcome, "plain"), *_texts(outcome, "banned"))}
    assert mined
    assert refused not in {asked[generation] for generation in mined}
    assert [row["failed_or_refused"] for row in _iterations(tmp_path)] == ["3", "3"]


@pytest.mark.parametrize("tuner", ["ftpo", "dpo"])
def test_a_behaviour_of_ones_own_is_banned_and_trained_out(tuner: str, files: Path, tmp_path: Path) -> None:
    name = own_behaviour(tmp_path)
    outcome = small_run(tmp_path / "run", model=str(files / "chat"), behaviour=name, tuner=tuner, **FIND_NOTHING)
    behaviour: Any = load_behaviour(name)

    def hits(side: str) -> int:
        return sum(len(spans) for spans in behaviour.locate([text.text for text in _texts(outcome, side)]))

    assert hits("plain") > 0
    assert hits("banned") <= sum(event.let_pass for text in _texts(outcome, "banned") for event in text.events)
    if tuner == "ftpo":
        assert {point.rule for path in _mined(tmp_path / "run") for point in path.points} == {"p", "h", "m"}
    line = _line(outcome, "lonely_letters")
    for side, figure in (("before", line.before), ("after", line.after)):
        words = sum(len(WORD.findall(text.text)) for text in _texts(outcome, side))
        assert figure == pytest.approx(1000 * hits(side) / words)
    assert _line(outcome, "kl_per_token").after > 0


def test_another_model_with_the_same_tokenizer_is_trained_in_its_place(
    files: Path, tmp_path: Path, tiny: LanguageModel
) -> None:
    other = load_model(str(files / "other"))
    outcome = small_run(tmp_path, tune_model=str(files / "other"), front=())
    assert {text.model_hash for row in ("plain", "banned") for text in _texts(outcome, row)} == {tiny.model_hash}
    assert {text.model_hash for text in _texts(outcome, "before")} == {other.model_hash}
    assert outcome.model is not None
    assert {text.model_hash for text in _texts(outcome, "after")} == {outcome.model.model_hash}
    assert _distance(outcome.model, other) < _distance(outcome.model, tiny)


def test_another_model_with_another_tokenizer_is_refused(tmp_path: Path) -> None:
    other = tiny_llama()
    other.tokenizer.add_tokens(["lily"])
    other.model.resize_token_embeddings(len(other.tokenizer), mean_resizing=False)
    other.save(tmp_path / "other")
    with pytest.raises(UsageError, match="tokenizers"):
        small_run(tmp_path / "run", tune_model=str(tmp_path / "other"))
    assert not (tmp_path / "run").exists()


def test_every_iteration_bans_what_those_before_found(tmp_path: Path) -> None:
    outcome = small_run(tmp_path, iterations=3, until="ban")
    rows = _iterations(tmp_path)
    assert [row["iteration"] for row in rows] == ["0", "1", "2", "3"]
    for before, after in pairwise(rows[1:]):
        assert int(after["listed"]) == int(before["listed"]) + int(before["added"])
    rules = [rule.text for rule in _bans(outcome)]
    assert len(rules) == len(set(rules)) == int(rows[-1]["listed"])
    assert int(rows[-1]["hits_let_pass"]) or float(rows[-1]["slop_per_1k_words"]) == 0


@pytest.mark.parametrize("tried", [{"front": ()}, {"front": (0.5,), "target": 0.01}])
def test_the_adapter_is_the_tuned_model_in_plain_transformers(tried: dict[str, Any], tmp_path: Path) -> None:
    tiny_llama().save(tmp_path / "plain")
    outcome = small_run(tmp_path / "run", model=str(tmp_path / "plain"), **tried)
    assert any("strength: 0.5" in note for note in outcome.notes) == bool(tried["front"])
    ids = torch.arange(3, 60)[None]

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "plain")
    adapter = PeftModel.from_pretrained(model, str(outcome.adapter))
    with torch.no_grad():
        adapted = adapter(input_ids=ids).logits

        assert outcome.model is not None
        assert outcome.adapter is not None
        tuned = outcome.model.model(input_ids=ids).logits
        saved = load_model(str(outcome.adapter.parent)).model(input_ids=ids).logits
        plain = load_model(str(tmp_path / "plain")).model(input_ids=ids).logits
    assert torch.allclose(adapted, tuned, atol=1e-4)
    assert torch.allclose(saved, tuned, atol=1e-4)
    assert not torch.allclose(plain, tuned, atol=0.1)


def test_the_report_and_the_card_name_every_line(done: Outcome) -> None:
    assert done.folder is not None
    assert done.adapter is not None
    assert len(done.evidence) >= 8
    page = html.unescape((done.folder / "report.html").read_text(encoding="utf-8"))
    model_card = (done.adapter.parent / "README.md").read_text(encoding="utf-8")
    for line in done.evidence:
        assert plain_name(line) in page
        assert line.name in model_card
    assert (done.folder / "before_after.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_report_shows_how_it_was_trained_and_what_every_strength_does(done: Outcome) -> None:
    assert done.folder is not None
    assert done.rows["gaps"]
    page = html.unescape((done.folder / "report.html").read_text(encoding="utf-8"))
    for text in ("What each strength buys", "How it was trained", "The loss is that", "the chosen tokens are ahead"):
        assert text in page, text


def test_every_weight_is_saved_in_the_dtype_of_the_models_own_files(tmp_path: Path) -> None:
    tiny = tiny_llama()
    tiny.model.to(torch.bfloat16)
    tiny.save(tmp_path / "plain")
    outcome = small_run(tmp_path / "run", model=str(tmp_path / "plain"))
    assert outcome.adapter is not None
    weights = load_file(outcome.adapter.parent / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}


def test_a_model_is_saved_as_gguf_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    with pytest.raises(ModelError, match="converter"):
        small_run(tmp_path / "run", gguf="q8_0")
    assert not (tmp_path / "run").exists()
    install_converter(tmp_path)
    outcome = small_run(tmp_path / "run", gguf="q8_0")
    assert outcome.adapter is not None
    assert {path.name for path in outcome.adapter.parent.glob("*gguf*")} == {"model-q8_0.gguf"}


def test_the_points_are_there_for_other_tools_too(done: Outcome, tiny: LanguageModel) -> None:
    assert done.folder is not None
    again = import_ftpo(done.folder / "ftpo.jsonl", tiny)
    (note,) = (note for note in done.notes if note.startswith("ftpo.jsonl"))
    mined = read_records(data_file(str(done.folder), done.folder), TokenPreferences)
    points = sum(len(path.points) for path in mined)
    assert 0 < sum(len(path.points) for path in again.preferences) <= points
    assert f"{sum(len(path.points) for path in again.preferences)} rows for other tools" in note


def test_the_card_names_no_place_on_this_machine(files: Path, tmp_path: Path) -> None:
    tiny_llama().save(tmp_path / "a-model")
    given = {"prompts": str(files / "prompts.txt"), "behaviour": own_behaviour(files)}
    outcome = small_run(tmp_path / "run", model=str(tmp_path / "a-model"), **given)
    assert outcome.adapter is not None
    model_card = (outcome.adapter.parent / "README.md").read_text(encoding="utf-8")
    assert "a-model --set " in model_card
    assert "prompts.txt" in model_card
    assert "letters.py:LonelyLetters" in model_card
    assert str(tmp_path) not in model_card
    assert str(files) not in model_card


def test_a_behaviour_that_is_nowhere_is_said_before_anything_is_banned(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of 24 texts has a hit of slop nor loops"):
        small_run(tmp_path, behaviour="loops", own_only=True)
    assert [stage_name(folder) for folder in stage_folders(tmp_path)] == ["write", "find"]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the model of stories is not here")
def test_doom_loops_are_trained_out(tmp_path: Path) -> None:
    settings = {
        "model": str(SHARED / "models" / "stories260k"),
        "prompts": str(SHARED / "data" / "tinystories.parquet"),
        "openings": True,
        "first_words": 8,
        "limit": 450,
        "samples": 1,
        "behaviour": "loops",
        "own_only": True,
        "sampling": {"temperature": 0.05, "max_tokens": 300},
        "front": (),
    }
    outcome = small_run(tmp_path, **settings)
    assert outcome.evidence[0].name == "loops"
    assert outcome.evidence[0].before > 0
    assert outcome.evidence[0].verdict == "better", outcome.evidence[0]


def test_a_finished_run_is_read_and_not_made_again(done: Outcome) -> None:
    assert done.folder is not None
    events: list[RunEvent] = []
    before = contents(done.folder)
    again = antislop(AntislopSettings.from_user({"model": "tiny", **SMALL}), done.folder, events.append)
    assert {event.kind for event in events} <= {"start", "expect", "finish"}
    assert (again.evidence, again.rows, again.notes) == (done.evidence, done.rows, done.notes)
    assert contents(done.folder) == before


def test_prompts_that_changed_under_the_same_name_are_refused(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    for number, refused in ((1, False), (2, True)):
        prompts.write_text("\n".join(f"Tale {number} of {other}." for other in range(6)), encoding="utf-8")
        settings = {**QUICK, "prompts": str(prompts)}
        if not refused:
            small_run(tmp_path / "run", **settings)
            continue
        with pytest.raises(UsageError, match=r"fingerprint\.prompts"):
            small_run(tmp_path / "run", **settings)


@pytest.mark.parametrize("key", ["prompts", "baseline", "ban", "index", "reference_text"])
def test_a_file_that_is_not_there_is_named_before_anything_is_written(key: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        small_run(tmp_path / "run", **{key: str(tmp_path / "nowhere.txt")})
    assert not (tmp_path / "run").exists()


def test_the_command_in_the_report_gives_the_same_settings() -> None:
    settings = AntislopSettings.from_user(
        {
            "model": "my models/one",
            "system": 'You\'re a "pirate" = 7.\nArr!',
            "prompts": "12",
            "whitelist": ["a's", "b c"],
            "openings": True,
            "front": [0.5],
            "sampling": {"max_tokens": 7, "stop": ["$HOME", "###"]},
            "ftpo": {"learning_rate": 1e-5},
            "seed": 0,
        }
    )
    program, verb, model, *assignments = shlex.split(reproduce(settings))
    assert (program, verb) == ("planish", "antislop")
    assert set(assignments[::2]) == {"--set"}
    assert AntislopSettings.from_user({"model": model, **parse_settings(assignments[1::2])}) == settings


def _named(settings: dict[str, Any], files: Path) -> dict[str, Any]:
    """Names of files as paths."""
    named = {
        key: str(files / value) if isinstance(value, str) and (files / value).exists() else value
        for key, value in settings.items()
    }
    return named | ({"behaviour": own_behaviour(files)} if "behaviour" in named else {})


def _comes_to(folder: Path, settings: dict[str, Any]) -> Any:
    """What all stages made, or why there is none of it."""
    try:
        return _stages(small_run(folder, **settings))
    except PlanishError as error:
        return error.message


def _stages(outcome: Outcome) -> dict[str, bytes]:
    assert outcome.folder is not None
    return contents(outcome.folder / "stages")


def _texts(outcome: Outcome, row: str) -> list[Generation]:
    return [text for text in outcome.rows[row] if isinstance(text, Generation)]


def _bans(outcome: Outcome) -> list[BanRule]:
    return [rule for rule in outcome.rows["bans"] if isinstance(rule, BanRule)]


def _line(outcome: Outcome, name: str) -> Evidence:
    (found,) = [line for line in outcome.evidence if line.name == name]
    return found


def _mined(folder: Path) -> list[TokenPreferences]:
    (stage,) = [stage for stage in stage_folders(folder) if stage_name(stage) == "mine"]
    return read_records(stage / "rows.jsonl", TokenPreferences)


def _iterations(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "iterations.csv").read_text(encoding="utf-8").splitlines()))


def _distance(one: LanguageModel, other: LanguageModel) -> float:
    pairs = zip(one.model.model.parameters(), other.model.model.parameters(), strict=True)
    return sum(float((first - second).detach().pow(2).sum()) for first, second in pairs)


def test_to_look_for_nothing_and_have_nothing_of_ones_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing of your own") as caught:
        small_run(tmp_path, own_only=True)
    assert "--behaviour" in caught.value.hint
