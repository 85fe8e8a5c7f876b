"""Every setting changes what is asked or what comes of it; some stand in the tests of their stages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_author import CAPITALS, FIVE_WORDS, NO_COMMAS, Author, right_cases, right_verifier

from planish.errors import UsageError
from planish.find.verifiers.vetting import Vetted
from planish.models.reply_store import ReplyStore
from planish.recipes import written_vetting
from planish.recipes.asking import Asker
from planish.recipes.calls import Calls
from planish.recipes.prompt_template import seed_instructions
from planish.recipes.sifting import WrittenInstruction, instruction_id
from planish.recipes.written_instructions import Verified, verify, write_instructions
from planish.recipes.written_settings import WrittenSettings
from planish.records.prompt import writing_prompt
from planish.runs.run import Run
from planish.sandbox.job import Answer, Job
from planish.sandbox.opening import missing_of_kinds, open_sandbox
from planish.sandbox.sandbox import Sandbox

INSTRUCTIONS = [WrittenInstruction(id=instruction_id(text), text=text) for text in (NO_COMMAS, CAPITALS, FIVE_WORDS)]


class Watched:
    """A sandbox that remembers its jobs."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.batches: list[list[Job]] = []

    def run(self, jobs: list[Job]) -> list[list[Answer]]:
        self.batches.append(jobs)
        return self.sandbox.run(jobs)


@pytest.fixture(scope="module")
def opened() -> Iterator[Sandbox]:
    if lack := missing_of_kinds()["linux"]:
        pytest.skip(f"the sandbox needs {lack}")
    with open_sandbox("linux") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(opened: Sandbox) -> Any:
    return Watched(opened)


def verified(folder: Path, sandbox: Any, author: Author | None = None, **settings: Any) -> tuple[Verified, Author]:
    source = author or Author({})
    with Run.start(folder, "test", {}, {}) as run:
        asker = Asker(ReplyStore(folder / "replies.jsonl"), source)
        return verify(run, asker, Calls("m"), INSTRUCTIONS, sandbox, WrittenSettings.from_user(settings)), source


def asked(author: Author, call: str) -> list[str]:
    return [draw.request.messages[0].content for draw in author.asked if draw.request.template.startswith(call)]


def of(found: Verified, text: str) -> Vetted:
    return next(each for each in found.vetted if each.instruction.instruction_id == instruction_id(text))


def test_as_many_verifiers_and_cases_are_asked_for_as_the_settings_say(tmp_path: Path, sandbox: Any) -> None:
    _, author = verified(
        tmp_path, sandbox, verifiers=3, blind_replies=4, blind_cases=7, beside_cases=5, vetting={"mutated_texts": 1}
    )
    assert author.count("write_verifier") == 3 * 3
    assert author.count("write_cases_blind") == 3 * 4
    assert all("Write 7 short replies" in text for text in asked(author, "write_cases_blind"))
    # One for each program, which is shown.
    assert author.count("write_cases_beside") == 3 * 3
    assert all("Write 5 short replies" in text for text in asked(author, "write_cases_beside"))
    assert all("def evaluate" in text for text in asked(author, "write_cases_beside"))
    assert not any("def evaluate" in text for text in asked(author, "write_cases_blind"))


def test_no_cases_are_asked_for_where_none_are_wanted(tmp_path: Path, sandbox: Any) -> None:
    found, author = verified(tmp_path, sandbox, blind_replies=0, beside_cases=0)
    assert len(author.asked) == author.count("write_verifier") == 3 * 4
    assert found.kept_ids == []


def test_cases_beside_are_asked_for_once_for_each_program_that_is_tried(tmp_path: Path, sandbox: Any) -> None:
    sources = [
        "def evaluate(a):\n    return ',' in a",
        "def evaluate(b): return ',' in b  # the same",
        "def evaluate(:",
    ]
    author = Author({"write_verifier": lambda request, number: f"```python\n{sources[number]}\n```"})
    verified(tmp_path, sandbox, author, verifiers=3)
    assert author.count("write_cases_beside") == 3


def test_a_program_among_cases_is_no_verifier(tmp_path: Path, sandbox: Any) -> None:
    def both(request: str, number: int) -> str:
        return f"{right_verifier(request, 99)}\n```json\n{right_cases(request, number)}\n```"

    found, _ = verified(tmp_path, sandbox, Author({"write_cases_blind": both, "write_cases_beside": both}))
    assert len(found.verifiers) == 3 * 4
    assert len(found.kept_ids) == 3


def test_so_many_strangers_of_other_instructions_run_beside_the_own_verifiers(tmp_path: Path, sandbox: Any) -> None:
    verified(tmp_path / "none", sandbox, verifiers=2, strangers=0)
    assert [len(batch) for batch in sandbox.batches] == [2, 2, 2]
    sandbox.batches.clear()
    verified(tmp_path / "one", sandbox, verifiers=2, strangers=1)
    assert [len(batch) for batch in sandbox.batches] == [3, 3, 3]
    sandbox.batches.clear()
    verified(tmp_path / "all", sandbox, verifiers=2)
    assert [len(batch) for batch in sandbox.batches] == [4, 4, 4]
    own = [{job.source for job in batch[:2]} for batch in sandbox.batches]
    assert all(job.source not in mine for mine, batch in zip(own, sandbox.batches, strict=True) for job in batch[2:])


def test_strangers_that_do_as_well_cost_a_verifier_its_place(tmp_path: Path, sandbox: Any) -> None:
    author = Author({"write_verifier": lambda request, number: right_verifier(NO_COMMAS, number)})
    # All instructions have the verifiers of one, and so that one is not told from the others.
    alike, _ = verified(tmp_path / "alike", sandbox, author)
    assert {each.reason.code for each in of(alike, NO_COMMAS).verifiers if each.reason} == {"not_specific"}
    alone, _ = verified(tmp_path / "alone", sandbox, author, strangers=0)
    assert alone.kept_ids == [instruction_id(NO_COMMAS)]


def test_the_rules_of_vetting_are_handed_on(tmp_path: Path, sandbox: Any) -> None:
    found, _ = verified(tmp_path, sandbox, verifiers=2, vetting={"least_verifiers": 3})
    assert found.kept_ids == []
    assert {each.instruction.reason.code for each in found.vetted if each.instruction.reason} == {"too_few_verifiers"}


def describe(request: str, number: int) -> str:
    """What a program checks; of capitals, something else in every second description."""
    if "upper" in request:
        return ["Shout.", "Whisper."][number % 2]
    return "Leave out commas." if "','" in request else ""


def judge_same(request: str, number: int) -> str:
    return "No." if "Whisper" in request else "yes"


class Contradicting:
    """A model for natural language inference to which one instruction contradicts whatever is said of it."""

    def __init__(self, model: str) -> None:
        assert model == "some/model"

    def contradicts(self, pairs: list[tuple[str, str]]) -> list[bool]:
        return [instruction == NO_COMMAS for instruction, _ in pairs]


def test_a_model_for_inference_judges_descriptions_in_place_of_the_generator(
    tmp_path: Path, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written_vetting, "Inference", Contradicting)
    told = Author({"back_translate": lambda request, number: "Something."})
    found, author = verified(tmp_path, sandbox, told, back_translation=True, inference="some/model")
    assert not asked(author, "judge_same")
    rejected = {each.instruction.instruction_id for each in found.vetted if each.instruction.status == "rejected"}
    assert rejected == {instruction_id(NO_COMMAS)}


def test_verifiers_whose_descriptions_say_something_else_are_rejected(tmp_path: Path, sandbox: Any) -> None:
    judged = {"back_translate": describe, "judge_same": judge_same}
    off, author = verified(tmp_path / "off", sandbox, Author(judged))
    assert len(off.kept_ids) == 3
    assert author.count("back_translate") == author.count("judge_same") == 0
    once, author = verified(tmp_path / "once", sandbox, Author(judged), back_translation=True)
    assert author.count("back_translate") == 3 * 4
    # The same words are judged once; a description without words says nothing.
    assert author.count("judge_same") == 2
    assert once == off
    twice, author = verified(tmp_path / "twice", sandbox, Author(judged), back_translation=True, descriptions=2)
    assert author.count("back_translate") == 3 * 4 * 2
    assert set(twice.kept_ids) == {instruction_id(NO_COMMAS), instruction_id(FIVE_WORDS)}
    rejected = of(twice, CAPITALS)
    assert {each.reason.code for each in rejected.verifiers if each.reason} == {"back_translation"}
    assert rejected.instruction.reason is not None
    assert (rejected.instruction.reason.code, rejected.instruction.clusters) == ("back_translation", 0)
    half, _ = verified(
        tmp_path / "half", sandbox, Author(judged), back_translation=True, descriptions=2, least_agreement=0.5
    )
    assert half == off


def test_verifiers_that_are_left_fall_with_their_instruction(tmp_path: Path, sandbox: Any) -> None:
    judged = {
        "back_translate": lambda request, number: "Shout." if "3 == 3" in request else "Whisper.",
        "judge_same": judge_same,
    }
    found, _ = verified(tmp_path, sandbox, Author(judged), back_translation=True)
    codes = [each.reason.code for each in of(found, CAPITALS).verifiers if each.reason]
    assert codes == ["back_translation"] * 3 + ["instruction"]
    assert found.kept_ids == []


def test_seeds_and_a_benchmark_come_from_the_files_that_are_named(tmp_path: Path, sandbox: Any) -> None:
    seeds, benchmark = tmp_path / "seeds.txt", tmp_path / "benchmark.txt"
    seeds.write_text("Say hello first.\n")
    benchmark.write_text("What is blue?\n")
    queries = [writing_prompt("What is red?"), writing_prompt("What is blue?")]

    def contents(folder: Path, **settings: Any) -> tuple[list[str], Author]:
        author = Author({"new_instruction": lambda request, number: NO_COMMAS})
        rules = WrittenSettings.from_user({"instructions": 2, **settings})
        with Run.start(folder, "test", {}, {}) as run:
            asker = Asker(ReplyStore(folder / "replies.jsonl"), author)
            found = write_instructions(run, asker, Calls("m"), queries, sandbox, rules)
        return [prompt.content for prompt in found.prompts], author

    both, author = contents(tmp_path / "both")
    assert both == [f"What is red? {NO_COMMAS}", f"What is blue? {NO_COMMAS}"]
    assert all(any(seed in text for seed in seed_instructions()) for text in asked(author, "new_instruction"))
    one, author = contents(tmp_path / "one", seeds=str(seeds), not_like=str(benchmark))
    assert one == [f"What is red? {NO_COMMAS}"]
    assert all("- Say hello first." in text for text in asked(author, "new_instruction"))


def test_instructions_come_from_rewriting_with_queries_that_are_drawn(tmp_path: Path, sandbox: Any) -> None:
    queries = [writing_prompt(f"What is {number}?") for number in range(9)]
    author = Author({"rewrite_instructions": lambda request, number: f"1. {CAPITALS}\n2. {FIVE_WORDS}"})
    rules = WrittenSettings(source="rewriting", instructions=2, queries_each=3)
    with Run.start(tmp_path, "test", {}, {}) as run:
        asker = Asker(ReplyStore(tmp_path / "replies.jsonl"), author)
        found = write_instructions(run, asker, Calls("m"), queries, sandbox, rules)
    assert author.count("new_instruction") == 0
    said = [prompt.content.removeprefix(found.plain[prompt.id].content).strip() for prompt in found.prompts]
    assert said == [CAPITALS] * 3 + [FIVE_WORDS] * 3


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown setting 'blind_case'"):
        WrittenSettings.from_user({"blind_case": 3})
