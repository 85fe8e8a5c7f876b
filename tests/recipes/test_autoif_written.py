"""A run whose instructions and verifiers a scripted model writes, behind a chat server."""

import html
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from antislop_run import contents
from scripted_author import NO_COMMAS, Author, right_cases, right_verifier

import planish
from chat_server import ChatServer, Speaker
from planish.errors import DataError, MissingPackageError, ModelError
from planish.models.server_process import free_port
from planish.prove.lift import LIFT
from planish.recipes.outcome import Outcome
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference
from planish.records.prompt import Prompt
from planish.records.record import read_records
from planish.runs.layout import stage_folders, stage_name
from planish.sandbox.opening import missing_of_kinds

QUERIES = [f"What is {colour}?" for colour in ("red", "blue", "green", "black", "white", "grey", "pink", "brown")]
NO_F = "Do not use the letter f."
# Half of the queries bring an instruction that the random model keeps now and then, half another one.
RIGHT = {NO_F: "'f' not in response.lower()", NO_COMMAS: "',' not in response"}


def new_instruction(request: str, number: int) -> str:
    place = next(place for place, query in enumerate(QUERIES) if f"<message>\n{query}\n" in request)
    return [NO_F, NO_COMMAS][place % 2]


def write_verifier(request: str, number: int) -> str:
    if NO_F not in request:
        return right_verifier(request, number)
    return f"```python\ndef evaluate(response):\n    return ({RIGHT[NO_F]}) and {number} == {number}\n```"


def write_cases(request: str, number: int) -> str:
    if NO_F not in request:
        return right_cases(request, number)
    texts = [("One two", True), ("Red it is", True), ("One for four", False), ("A colour of fire", False)]
    return "\n".join(json.dumps({"response": text, "result": holds}) for text, holds in texts)


def judge_quality(request: str, number: int) -> str:
    return "Score: 2" if "What is red?" in request else "Score: 8"


SCRIPTS = {
    "new_instruction": new_instruction,
    "write_verifier": write_verifier,
    "write_cases_blind": write_cases,
    "write_cases_beside": write_cases,
    "judge_quality": judge_quality,
}
SMALL: dict[str, Any] = {
    "instructions": "written",
    "written": {"instructions": 24, "verifiers": 3, "most_overlap": 1.0},
    "samples": 10,
    "sampling": {"max_tokens": 24},
    "judged_samples": 2,
    "dpo": {"epochs": 1},
    "sandbox": "linux",
}


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> None:
    if lack := missing_of_kinds()["linux"]:
        pytest.skip(f"the sandbox needs {lack}")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "queries.txt").write_text("\n".join(QUERIES), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with scripted() as opened:
        yield opened


class ChatServerAt(ChatServer):
    """A server at an address where there was one before, or at any."""

    def __init__(self, speaker: Speaker, port: int) -> None:
        self._port = port
        super().__init__(speaker, [], None)

    def server_bind(self) -> None:
        self.server_address = ("127.0.0.1", self._port)
        super().server_bind()


@contextmanager
def scripted(port: int = 0, **others: Any) -> Iterator[ChatServer]:
    author = Author({**SCRIPTS, **others})
    server = ChatServerAt(lambda body: author.say(body["messages"][0]["content"], body["seed"]), port)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def run(folder: Path, files: Path, url: str, **settings: Any) -> Outcome:
    given = {**SMALL, "prompts": str(files / "queries.txt"), "generator": url, **settings}
    return planish.autoif("tiny", folder, **given)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, files: Path, server: ChatServer) -> Outcome:
    return run(tmp_path_factory.mktemp("done"), files, server.url)


def test_instructions_are_written_vetted_answered_and_learned(done: Outcome) -> None:
    assert done.folder is not None
    names = [stage_name(folder) for folder in stage_folders(done.folder)]
    assert names == [
        *["thoughts", "instructions", "verifiers", "cases", "vet", "write", "pair", "train"],
        *["before", "before-plain", "after", "after-plain", "evidence", "model"],
    ]
    prompts = [prompt for prompt in done.rows["prompts"] if isinstance(prompt, Prompt)]
    assert {prompt.content for prompt in prompts} <= {f"{query} {said}" for query in QUERIES for said in RIGHT}
    pairs = [pair for pair in done.rows["pairs"] if isinstance(pair, CompletionPreference)]
    assert pairs
    asked = {prompt.messages: prompt for prompt in prompts}
    for pair in pairs:
        assert not isinstance(pair.prompt, str)
        content = asked[pair.prompt].content
        [holds] = [_follows(said) for said in RIGHT if content.endswith(said)]
        assert holds(pair.chosen)
        assert not holds(pair.rejected)
    assert done.evidence[0].name == LIFT
    assert done.evidence[0].n == len({text.prompt_id for text in rows(done.folder, "before-plain")})
    page = html.unescape((done.folder / "report.html").read_text(encoding="utf-8"))
    for text in ("Where everything went", "thoughts", "verifiers", *done.notes):
        assert text in page, text


def _follows(said: str) -> Any:
    def holds(side: Any) -> bool:
        text = side if isinstance(side, str) else side[-1].content
        return "," not in text if said == NO_COMMAS else "f" not in text.lower()

    return holds


def test_held_out_queries_only_judge(done: Outcome) -> None:
    assert done.folder is not None
    learned, judging = (
        {prompt.content.partition("?")[0] for prompt in done.rows["prompts"] if prompt.id in ids}  # type: ignore[attr-defined]
        for ids in ({text.prompt_id for text in rows(done.folder, stage)} for stage in ("write", "before"))
    )
    assert learned
    assert judging
    assert learned.isdisjoint(judging)


def test_a_finished_run_is_read_without_its_server(
    done: Outcome, files: Path, server: ChatServer, tmp_path: Path
) -> None:
    assert done.folder is not None
    asked = len(server.bodies)
    again = run(done.folder, files, server.url)
    assert (again.evidence, again.rows, again.notes) == (done.evidence, done.rows, done.notes)
    assert len(server.bodies) == asked


def test_a_run_is_replayed_from_its_replies_when_the_server_is_gone(
    done: Outcome, files: Path, server: ChatServer, tmp_path: Path
) -> None:
    assert done.folder is not None
    folder = tmp_path / "again"
    shutil.copytree(done.folder, folder)
    shutil.rmtree(folder / "stages")
    (folder / "report.html").unlink()
    asked = len(server.bodies)
    again = run(folder, files, server.url, replay=True)
    assert len(server.bodies) == asked
    assert (again.evidence, again.notes) == (done.evidence, done.notes)
    # The settings say that it was replayed, and so does the card of the model.
    same = [
        {
            name: text
            for name, text in contents(each).items()
            if re.match(r"replies|verifiers|stages/[^/]*-(?!model/)", name)
        }
        for each in (done.folder, folder)
    ]
    assert same[0] == same[1]
    assert any("-train/" in name for name in same[0])


def test_a_replay_that_lacks_a_reply_says_so(done: Outcome, files: Path, server: ChatServer, tmp_path: Path) -> None:
    assert done.folder is not None
    folder = tmp_path / "again"
    shutil.copytree(done.folder, folder)
    shutil.rmtree(folder / "stages")
    lines = (folder / "replies.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "replies.jsonl").write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(DataError, match="without 1 of its replies"):
        run(folder, files, server.url, replay=True)
    with pytest.raises(DataError, match="which model it was recorded with"):
        run(tmp_path / "new", files, server.url, replay=True)


@pytest.mark.parametrize("named", [{}, {"generator_model": "fake"}], ids=["any model", "a named model"])
def test_a_server_that_is_not_there_ends_the_run_and_nothing_counts_as_made(
    named: dict[str, Any], files: Path, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ModelError, match=address) as caught:
        run(tmp_path, files, address, **named)
    assert caught.value.hint
    assert not (tmp_path / "done.json").exists()
    assert not [stage for stage in stage_folders(tmp_path) if (stage / "done.json").exists()]
    assert not (tmp_path / "replies.jsonl").exists() or not (tmp_path / "replies.jsonl").read_text()


def test_a_run_whose_server_dies_halfway_goes_on_and_asks_for_nothing_twice(
    files: Path, tmp_path: Path, done: Outcome
) -> None:
    answered = 12
    settings = {"generator_model": "fake", "concurrency": 1}
    with scripted() as first:
        first.faults = [*[None] * answered, "die"]
        with pytest.raises(ModelError, match=first.url):
            run(tmp_path, files, first.url, **settings)
    kept = [json.loads(line) for line in (tmp_path / "replies.jsonl").read_text().splitlines()]
    assert [reply["status"] for reply in kept] == ["ok"] * answered
    with scripted(port=first.server_port) as second:
        outcome = run(tmp_path, files, second.url, **settings)
    assert outcome.evidence == done.evidence
    once = [json.dumps(body, sort_keys=True) for body in (*first.bodies[:answered], *second.bodies)]
    assert len(once) == len(set(once))


def test_answers_are_judged_and_queries_that_do_not_fit_are_left_out(
    files: Path, tmp_path: Path, server: ChatServer
) -> None:
    written = {**SMALL["written"], "judge_quality": True}
    outcome = run(tmp_path, files, server.url, written=written, until="pair")
    assert {"quality", "pair"} <= {stage_name(folder) for folder in stage_folders(tmp_path)}
    asked = [prompt.content for prompt in outcome.rows["prompts"]]  # type: ignore[attr-defined]
    learned = [pair.prompt[-1].content for pair in outcome.rows["pairs"]]  # type: ignore[attr-defined]
    assert any(content.startswith("What is red?") for content in asked)
    assert learned
    assert not any(content.startswith("What is red?") for content in learned)


def test_without_instructions_that_can_be_trusted_there_is_nothing_to_learn(files: Path, tmp_path: Path) -> None:
    def always(request: str, number: int) -> str:
        return "```python\ndef evaluate(response):\n    return True\n```"

    with scripted(write_verifier=always) as server, pytest.raises(DataError, match="verified instructions") as caught:
        run(tmp_path, files, server.url)
    assert "funnel" in caught.value.hint


def test_how_much_is_written_is_a_setting(done: Outcome, files: Path, server: ChatServer, tmp_path: Path) -> None:
    assert done.folder is not None
    run(tmp_path, files, server.url, written={**SMALL["written"], "verifiers": 2}, until="instructions")
    counts = [len((folder / "verifiers.jsonl").read_text().splitlines()) for folder in (done.folder, tmp_path)]
    assert counts == [2 * 3, 2 * 2]


def test_a_model_that_the_server_has_not_is_named(files: Path, server: ChatServer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="serves no model 'large'"):
        run(tmp_path, files, server.url, generator_model="large")


def test_the_model_itself_writes_where_no_server_is_named(files: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="verified instructions"):
        run(tmp_path, files, "self", written={"instructions": 2}, limit=3)
    replies = [json.loads(line) for line in (tmp_path / "replies.jsonl").read_text().splitlines()]
    assert replies


@pytest.mark.parametrize("kind", ["wasm", "auto"])
def test_without_the_sandbox_that_is_set_nothing_is_written(
    kind: str, files: Path, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def none_here(kind: str) -> Any:
        asked.append(kind)
        raise MissingPackageError("wasmtime")

    monkeypatch.setattr("planish.recipes.autoif.open_sandbox", none_here)
    with pytest.raises(MissingPackageError):
        run(tmp_path / "run", files, server.url, sandbox=kind)
    assert asked == [kind]
    assert not (tmp_path / "run").exists()


def rows(folder: Path, stage: str) -> list[Generation]:
    (found,) = [each for each in stage_folders(folder) if stage_name(each) == stage]
    return list(read_records(found / "rows.jsonl", Generation))
