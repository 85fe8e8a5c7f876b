"""A scripted model writes for six queries, each of which comes to another end."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from antislop_run import contents
from scripted_author import CAPITALS, FIVE_WORDS, NO_COMMAS, Author, right_cases, right_verifier

from chat_server import chat_server
from planish.errors import DataError, ModelError
from planish.find.verifiers.funnel import FunnelRow
from planish.find.verifiers.verified import VerifiedInstructions, verifier_constraint
from planish.find.verifiers.verifier import Verifier
from planish.models.reply_store import ReplyStore
from planish.recipes.asking import Asker
from planish.recipes.calls import Calls
from planish.recipes.generator import open_generator
from planish.recipes.sifting import instruction_id
from planish.recipes.written_instructions import VERIFIERS, WrittenInstructions, write_instructions
from planish.recipes.written_settings import WrittenSettings
from planish.records.prompt import writing_prompt
from planish.records.record import read_records
from planish.records.score import Sample, Score
from planish.runs.event import RunEvent
from planish.runs.run import Run
from planish.sandbox.opening import missing_of_kinds, open_sandbox
from planish.sandbox.sandbox import Sandbox

GARBAGE = "Speak like a pirate captain in each line."
# What each query brings; the second brings the first once more, in another layout.
THOUGHTS = {
    "What is red?": NO_COMMAS,
    "What is blue?": "- do not use ANY commas",
    "What is green?": CAPITALS,
    "What is black?": "Keep a friendly tone.",
    "What is white?": GARBAGE,
    "What is grey?": FIVE_WORDS,
}
QUERIES = [writing_prompt(query) for query in THOUGHTS]
SETTINGS: dict[str, Any] = {"instructions": 6, "block": 2, "verifiers": 3, "blind_replies": 1}


def new_instruction(request: str, number: int) -> str:
    return next(text for query, text in THOUGHTS.items() if f"<message>\n{query}\n" in request)


def write_verifier(request: str, number: int) -> str:
    if GARBAGE in request:
        raise LookupError("the server broke off") if number else ValueError
    if CAPITALS in request:
        return "```python\ndef evaluate(response):\n    return True\n```"
    return (
        right_verifier(request, number) if number else f"Sure!\n{right_verifier(request, 0)}\nI hope that this helps."
    )


def write_cases(request: str, number: int) -> str:
    return "I cannot help with that." if GARBAGE in request else right_cases(request, number)


def author(most: int = 10_000, **others: Any) -> Author:
    cases = {"write_cases_blind": write_cases, "write_cases_beside": write_cases}
    return Author({"new_instruction": new_instruction, "write_verifier": safe(write_verifier), **cases, **others}, most)


def safe(script: Any) -> Any:
    """A reply that cannot be read, in the place of a ValueError."""

    def said(request: str, number: int) -> str:
        try:
            return str(script(request, number))
        except ValueError:
            return "Arr! There is no such program."

    return said


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    if lack := missing_of_kinds()["linux"]:
        pytest.skip(f"the sandbox needs {lack}")
    with open_sandbox("linux") as opened:
        yield opened


def written(
    folder: Path, source: Author | None, sandbox: Sandbox, listener: Any = None, **settings: Any
) -> WrittenInstructions:
    rules = WrittenSettings.from_user({**SETTINGS, **settings})
    with Run.start(folder, "test", rules.model_dump(mode="json"), {}, listener) as run:
        asker = Asker(ReplyStore(folder / "replies.jsonl"), source)
        return write_instructions(run, asker, Calls("m"), QUERIES, sandbox, rules)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> tuple[Path, WrittenInstructions, Author]:
    folder, source = tmp_path_factory.mktemp("undisturbed"), author()
    return folder, written(folder, source, sandbox), source


Undisturbed = tuple[Path, WrittenInstructions, Author]


def outcomes(rows: list[FunnelRow], stage: str) -> dict[str, int]:
    return {row.outcome: row.count for row in rows if row.stage == stage}


def test_good_instructions_come_out_in_their_queries_and_all_others_with_a_reason(undisturbed: Undisturbed) -> None:
    _, found, _ = undisturbed
    assert [prompt.content for prompt in found.prompts] == [
        f"What is red? {NO_COMMAS}",
        f"What is blue? {NO_COMMAS}",
        f"What is grey? {FIVE_WORDS}",
    ]
    assert [found.plain[prompt.id] for prompt in found.prompts] == [QUERIES[0], QUERIES[1], QUERIES[5]]
    assert found.prompts[0].constraints == found.prompts[1].constraints
    assert found.prompts[2].constraints == (verifier_constraint(instruction_id(FIVE_WORDS)),)
    assert outcomes(found.funnel, "thoughts") == {"kept": 4, "duplicate": 1, "uncheckable": 1}
    assert outcomes(found.funnel, "instructions") == {"kept": 2, "contradictory": 1, "no_cases": 1}
    assert outcomes(found.funnel, "verifiers") == {"kept": 6, "constant": 1, "duplicate": 2}
    # Of the garbled instruction two replies failed, and a program and its cases cannot be read.
    assert outcomes(found.funnel, "replies")["unreadable"] == 4
    assert outcomes(found.funnel, "replies repaired")["chatter"] == 2
    assert found.notes == [
        "instructions: 6 thought of, 4 of them new and checkable, 2 with verifiers that can be trusted, "
        "asked for in 3 prompts"
    ]


def test_every_verifier_is_written_down_with_its_status(undisturbed: Undisturbed) -> None:
    folder, found, _ = undisturbed
    assert read_records(folder / VERIFIERS, Verifier) == found.verifiers
    assert all((each.status == "rejected") == (each.reason is not None) for each in found.verifiers)


def test_what_was_kept_judges_answers(undisturbed: Undisturbed, sandbox: Sandbox) -> None:
    _, found, _ = undisturbed
    behaviour = VerifiedInstructions(found.verifiers, sandbox)
    texts = [(0, "Red is a colour", 0), (1, "Blue, of course", 1), (2, "One of the five words", 0), (2, "No", 1)]
    samples = [Sample(found.prompts[place], text, "g") for place, text, _ in texts]
    scores = behaviour.score(samples)
    assert [score.hits for score in scores if isinstance(score, Score)] == [hits for _, _, hits in texts]


def test_a_finished_run_is_read_without_a_model(undisturbed: Undisturbed, tmp_path: Path, sandbox: Sandbox) -> None:
    folder, found, source = undisturbed
    count = len(source.asked)
    assert written(folder, None, sandbox) == found
    assert written(folder, source, sandbox) == found
    assert len(source.asked) == count
    # So is a new one, with the replies of the old one.
    (tmp_path / "run").mkdir()
    rules = WrittenSettings.from_user(SETTINGS)
    with Run.start(tmp_path / "run", "test", rules.model_dump(mode="json"), {}) as run:
        asker = Asker(ReplyStore(folder / "replies.jsonl"))
        assert write_instructions(run, asker, Calls("m"), QUERIES, sandbox, rules) == found
    with run_of(tmp_path / "other") as run, pytest.raises(DataError, match="without 2 of its replies, the first of"):
        write_instructions(run, asker, Calls("other"), QUERIES, sandbox, rules)


def run_of(folder: Path) -> Run:
    return Run.start(folder, "test", {}, {})


def test_a_run_whose_model_gives_up_anywhere_asks_for_nothing_twice(
    undisturbed: Undisturbed, tmp_path: Path, sandbox: Sandbox
) -> None:
    folder, found, whole = undisturbed
    for most in range(0, len(whole.asked), 3):
        first, second = author(most), author()
        with pytest.raises(ModelError, match="no answer"):
            written(tmp_path / f"{most}", first, sandbox)
        assert written(tmp_path / f"{most}", second, sandbox) == found
        succeeded = [draw.place for draw in (*first.asked, *second.asked) if not is_lost(draw.place, folder)]
        assert len(succeeded) == len(set(succeeded))
        assert set(succeeded) <= {draw.place for draw in whole.asked}


def is_lost(place: tuple[str, int], folder: Path) -> bool:
    """Whether a draw failed, which is asked again when a run goes on."""
    rows = map(json.loads, (folder / "replies.jsonl").read_text().splitlines())
    return any((row["key"], row["sample"]) == place and row["status"] == "failed" for row in rows)


class PowerCutError(Exception):
    """It comes from the listener, which is outside the run."""


def test_a_run_stopped_after_any_block_goes_on_to_the_same_files(
    undisturbed: Undisturbed, tmp_path: Path, sandbox: Sandbox
) -> None:
    folder, found, _ = undisturbed
    cut: list[tuple[str, object]] = []

    def cut_once_a_block(event: RunEvent) -> None:
        place = (event.stage, event.figures.get("blocks"))
        if event.kind == "block" and place not in cut:
            cut.append(place)
            raise PowerCutError

    source, outcome = author(), None
    for _ in range(50):
        with suppress(PowerCutError):
            outcome = written(tmp_path / "run", source, sandbox, cut_once_a_block)
            break
    assert outcome == found
    assert [stage for stage, _ in cut] == [
        *["thoughts"] * 3, "instructions", *["verifiers"] * 2, *["cases"] * 2, *["vet"] * 2
    ]  # fmt: skip
    assert contents(tmp_path / "run") == contents(folder)


def test_a_server_writes_and_is_not_needed_again(tmp_path: Path, sandbox: Sandbox) -> None:
    rules, script = WrittenSettings.from_user(SETTINGS), author()
    script.scripts["write_verifier"] = lambda request, number: (
        "```python\ndef evaluate(response)\n" if GARBAGE in request else right_verifier(request, number)
    )

    def speak(body: Mapping[str, Any]) -> str:
        return script.say(body["messages"][0]["content"], body["seed"])

    with chat_server(speak) as server, run_of(tmp_path) as run:
        asker, calls = open_generator(run, server.url, no_model)
        found = write_instructions(run, asker, calls, QUERIES, sandbox, rules)
    assert len(found.prompts) == 4
    assert outcomes(found.funnel, "verifiers") == {"kept": 9, "no_python": 3}
    with run_of(tmp_path) as run:
        asker, calls = open_generator(run, server.url, no_model)
        assert write_instructions(run, asker, calls, QUERIES, sandbox, rules) == found


def no_model() -> Any:
    raise AssertionError("the model is not needed")
