"""Who writes: what is asked of a server, what happens when it dies, and what never comes from it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from antislop_run import SMALL, contents, small_run
from served_model import FakeServerAt, llama_command, llama_process, served_by

import planish
from fake_server import FakeServer, fake_server
from llama_server import llama_server
from planish.errors import DataError, ModelError, UsageError
from planish.find.slop import Slop
from planish.models.connection import Connection
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.server_process import free_port
from planish.models.tiny import tiny_llama
from planish.recipes.autoif import autoif
from planish.recipes.autoif_settings import AutoifSettings
from planish.recipes.diff import diff
from planish.recipes.engine_settings import EngineSettings
from planish.recipes.outcome import Outcome
from planish.recipes.presets import preset
from planish.recipes.same_model import PROBES
from planish.recipes.writer import Writer
from planish.records.generation import Generation
from planish.records.prompt import opening
from planish.records.record import read_records
from planish.records.rule import BanRule
from planish.runs.event import RunEvent
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

PROMPTS = [opening(f"Number {number}") for number in range(6)]
# What is asked before the first text: what the server can do, and whether it has the model.
ASKED_FIRST = 1 + 2 * PROBES
WRITE: dict[str, Any] = {"until": "write", "limit": 9, "samples": 1, "block": 2, "sampling": {"max_tokens": 8}}


def writer(model: LanguageModel, engine: str, **settings: Any) -> Writer:
    return Writer(
        model, EngineSettings(engine=engine, **settings), Sampling(max_tokens=3, temperature=0), PROMPTS, None
    )


def texts(outcome: Outcome, row: str) -> list[Generation]:
    return [text for text in outcome.rows[row] if isinstance(text, Generation)]


def serves(url: str) -> bool:
    return Connection(url, timeout_s=1).is_ready()


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planish.models.connection._wait_s", lambda attempt: 0.0)


@pytest.fixture
def our_server(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has llama.cpp served wherever vLLM would be; the ports, in turn."""
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    ports: list[int] = []

    def command(model: str, port: int, *_: str) -> list[str]:
        ports.append(port)
        return llama_command(model, port)

    monkeypatch.setattr("planish.recipes.writer.vllm_command", command)
    return ports


# --- a server that is there


def test_greedy_texts_are_the_same_wherever_they_are_written(tiny: LanguageModel) -> None:
    ban = Ban(Slop([BanRule(text="e")]))
    with fake_server(served_by(tiny)) as server, writer(tiny, server.url) as there, writer(tiny, "local") as here:
        for steers in ([], [ban]):
            served, local = (each.engine(steers).generate(PROMPTS) for each in (there, here))
            assert [text.token_ids for text in served] == [text.token_ids for text in local]
        assert serves(server.url)
    assert len(server.bodies) > ASKED_FIRST


@pytest.mark.parametrize("concurrency", [1, 2, 3])
def test_so_many_texts_are_asked_for_at_once_and_no_more(concurrency: int, tiny: LanguageModel) -> None:
    foresee = served_by(tiny)
    together = threading.Barrier(concurrency, timeout=30)
    lock = threading.Lock()
    standing, most = 0, 0

    def gathered(before: Sequence[int]) -> Mapping[int, float]:
        nonlocal standing, most
        with lock:
            standing += 1
            most = max(most, standing)
        together.wait()  # breaks unless so many stand here
        with lock:
            standing -= 1
        return foresee(before)

    with fake_server(foresee) as server, writer(tiny, server.url, concurrency=concurrency) as there:
        there.reach()
        server.model = gathered
        written = there.engine().generate(PROMPTS)
    assert [text.status for text in written] == ["ok"] * 6
    assert most == concurrency


def test_a_server_is_asked_for_nothing_before_the_first_text(tiny: LanguageModel) -> None:
    with fake_server(served_by(tiny)) as server, writer(tiny, server.url) as there:
        there.engine()
    assert not server.bodies


def test_a_server_with_another_model_writes_nothing(tiny: LanguageModel, tmp_path: Path) -> None:
    with fake_server(served_by(tiny_llama(seed=1))) as server, pytest.raises(ModelError, match="not 'tiny'"):
        small_run(tmp_path, engine=server.url, **WRITE)
    assert len(server.bodies) == ASKED_FIRST
    assert not (tmp_path / "stages/1-write/rows.jsonl").read_bytes()


@pytest.mark.parametrize("setting", [{"no_repeat_ngram": 3}, {"repetition_penalty": 1.2}])
def test_what_a_server_cannot_do_is_refused_before_there_is_a_run(setting: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=next(iter(setting))) as caught:
        small_run(tmp_path / "run", engine="http://127.0.0.1:1", sampling=setting)
    assert "--engine local" in caught.value.hint
    assert not (tmp_path / "run").exists()


def test_what_is_compared_is_written_here_and_the_server_writes_the_rest(tiny: LanguageModel, tmp_path: Path) -> None:
    bans = tmp_path / "bans.txt"
    bans.write_text("e\nr\n", encoding="utf-8")
    with fake_server(served_by(tiny)) as server:
        outcome = small_run(tmp_path / "run", engine=server.url, ban=str(bans), least_ratio=1e9)
    (served,) = {text.model_hash for row in ("plain", "banned") for text in texts(outcome, row)}
    assert served != tiny.model_hash
    assert {text.model_hash for text in texts(outcome, "before")} == {tiny.model_hash}
    assert outcome.model is not None
    assert {text.model_hash for text in texts(outcome, "after")} == {outcome.model.model_hash}
    # The strength of the adapter, too, is chosen by texts of one engine.
    (own,) = (tmp_path / "run/stages").glob("*-own")
    rows = read_records(own / "rows.jsonl", Generation)
    assert {text.model_hash for text in rows} == {tiny.model_hash}
    assert {text.sample for text in rows} == {0}
    assert any(server.url in note and "local" in note for note in outcome.notes)


# --- a server that dies


def test_a_run_whose_server_dies_goes_on_with_a_new_one_to_the_same_rows(tiny: LanguageModel, tmp_path: Path) -> None:
    with fake_server(served_by(tiny)) as server:
        small_run(tmp_path / "undisturbed", engine=server.url, concurrency=1, **WRITE)
    with fake_server(served_by(tiny), faults=[*[None] * (ASKED_FIRST + 3), "die"]) as server:
        with pytest.raises(ModelError, match="no answer"):
            small_run(tmp_path / "run", engine=server.url, concurrency=1, **WRITE)
        # The block in which it died is not kept.
        rows = read_records(tmp_path / "run/stages/1-write/rows.jsonl", Generation)
        assert [text.status for text in rows] == ["ok"] * 2
        assert not (tmp_path / "run/stages/1-write/done.json").exists()
        with pytest.raises(ModelError, match="no answer"):
            planish.resume(tmp_path / "run", until="write")
    with served_again(served_by(tiny), server.server_port):
        outcome = planish.resume(tmp_path / "run", until="write")
    assert {text.status for text in texts(outcome, "plain")} == {"ok"}
    assert contents(tmp_path / "run/stages") == contents(tmp_path / "undisturbed/stages")


def test_a_server_that_fails_texts_but_lives_is_stopped_by_max_failures(tiny: LanguageModel, tmp_path: Path) -> None:
    with (
        fake_server(served_by(tiny), faults=[None] * ASKED_FIRST, usual=400) as server,
        pytest.raises(DataError, match=r"texts of the stage 'write' failed.*not now"),
    ):
        small_run(tmp_path, engine=server.url, **WRITE)
    rows = read_records(tmp_path / "stages/1-write/rows.jsonl", Generation)
    assert {(text.status, text.token_ids) for text in rows} == {("failed", ())}


@contextmanager
def served_again(model: Callable[[Sequence[int]], Mapping[int, float]], port: int) -> Iterator[FakeServer]:
    server = FakeServerAt(model, port)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_a_real_server_that_is_killed_and_started_again(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    port = free_port()
    settings: dict[str, Any] = {"limit": 12, "sampling": {"max_tokens": 40}, "until": "find", "block": 4}
    (tmp_path / "bans.txt").write_text("was\n", encoding="utf-8")
    settings["ban"] = str(tmp_path / "bans.txt")
    with llama_process("bundled", port, tmp_path) as server:

        def kill(event: RunEvent) -> None:
            if event.kind == "block":
                server.stop()

        with pytest.raises(ModelError, match="no answer"):
            planish.antislop("bundled", tmp_path / "run", kill, engine=server.url, **settings)
    with llama_process("bundled", port, tmp_path):
        outcome = planish.resume(tmp_path / "run", until="find")
    written = texts(outcome, "plain")
    assert len(written) == 8 * 2
    assert all(text.status == "ok" and text.token_ids for text in written)
    assert len({text.text for text in written}) > 8
    assert outcome.rows["bans"]


# --- a server of our own


def test_a_server_of_ours_writes_and_bans_and_is_gone_before_the_weights_are_needed(
    our_server: list[int], tmp_path: Path
) -> None:
    tiny_llama().save(tmp_path / "model")
    serving: dict[str, bool] = {}

    def look(event: RunEvent) -> None:
        if event.kind == "end" or (event.kind == "begin" and event.stage == "mine"):
            serving[event.stage] = serves(f"http://127.0.0.1:{our_server[0]}")

    settings = {**SMALL, "ftpo": {"epochs": 1}, "engine": "vllm", "until": "mine"}
    outcome = planish.antislop(str(tmp_path / "model"), tmp_path / "run", look, **settings)
    assert serving == {"write": True, "find": True, "ban-1": True, "mine": False}
    assert len(our_server) == 1
    assert (tmp_path / "run/server.log").is_file()
    assert {text.status for row in ("plain", "banned") for text in texts(outcome, row)} == {"ok"}
    assert any(text.events for text in texts(outcome, "banned"))


@pytest.mark.slow
def test_a_server_of_ours_is_stopped_when_the_run_fails(our_server: list[int], tmp_path: Path) -> None:
    tiny_llama().save(tmp_path / "model")

    def fail(event: RunEvent) -> None:
        if event.kind == "block":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        planish.antislop(str(tmp_path / "model"), tmp_path / "run", fail, engine="vllm", **WRITE)
    assert not serves(f"http://127.0.0.1:{our_server[0]}")


@pytest.mark.slow
def test_two_models_are_served_one_after_the_other(our_server: list[int], tmp_path: Path) -> None:
    for seed in (0, 1):
        tiny_llama(seed).save(tmp_path / str(seed))
    first, second = (load_model(str(tmp_path / str(seed))) for seed in (0, 1))
    sampling = Sampling(max_tokens=5, temperature=0)
    outcome = diff(first, second, PROMPTS, 1, sampling, engine=EngineSettings(engine="vllm"))
    assert len(our_server) == 2
    for row, model in zip(("before", "after"), (first, second), strict=True):
        local = Engine(model, sampling=sampling).generate(PROMPTS)
        assert [text.token_ids for text in texts(outcome, row)] == [text.token_ids for text in local]
        assert {text.model_hash for text in texts(outcome, row)}.isdisjoint({model.model_hash})
    assert not any(serves(f"http://127.0.0.1:{port}") for port in our_server)


def test_two_models_are_not_compared_on_one_server(tiny: LanguageModel) -> None:
    with pytest.raises(UsageError, match="one model") as caught:
        diff(tiny, tiny, PROMPTS, engine=EngineSettings(engine="http://127.0.0.1:1"))
    assert "vllm" in caught.value.hint


@pytest.mark.slow
def test_answers_to_instructions_come_from_the_server_and_those_compared_do_not(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    bundled = load_model("bundled")
    with llama_server(bundled) as url:
        settings = AutoifSettings.from_user(
            {**preset("autoif", "bundled"), "model": "bundled", "engine": url, "limit": 9, "samples": 6}
        )
        outcome = autoif(settings, tmp_path / "run")
    assert bundled.model_hash not in {text.model_hash for text in texts(outcome, "answers")}
    assert {text.model_hash for text in texts(outcome, "before")} == {bundled.model_hash}
    assert outcome.model is not None
    assert {text.model_hash for text in texts(outcome, "after")} == {outcome.model.model_hash}
