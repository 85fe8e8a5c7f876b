"""The stages, driven by what the AutoIF project recorded, where that lies beside the repository: no model is there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planish.find.instructions.prompt import with_instruction
from planish.models.reply_store import ReplyStore
from planish.recipes.asking import Asker
from planish.recipes.autoif_import import import_autoif
from planish.recipes.calls import Calls
from planish.recipes.judging import judged
from planish.recipes.sifting import WrittenInstruction, instruction_id, sift
from planish.recipes.thoughts import seeds_of, think
from planish.recipes.written_instructions import Verified, verify
from planish.recipes.written_settings import WrittenSettings
from planish.records.generation import Generation
from planish.records.prompt import writing_prompt
from planish.runs.run import Run
from planish.sandbox.opening import missing_of_kinds, open_sandbox
from planish.sandbox.sandbox import Sandbox
from planish.train.pairing import Answer, PairingSettings, pairs

DATA = Path(__file__).parents[3] / "shared" / "data" / "autoif_sample_data"
CALLS = Calls("recorded")
# A reply of theirs holds its cases; the authors asked for no others.
SETTINGS = WrittenSettings(verifiers=8, blind_replies=0, beside_cases=0)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded outputs are not here")


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Asker:
    store = ReplyStore(tmp_path_factory.mktemp("recorded") / "replies.jsonl")
    import_autoif(DATA, store, CALLS)
    return Asker(store)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    if lack := missing_of_kinds()["linux"]:
        pytest.skip(f"the sandbox needs {lack}")
    with open_sandbox("linux") as opened:
        yield opened


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory, asker: Asker, sandbox: Sandbox) -> Verified:
    texts = [row["instruction"] for row in rows("eval_func_rft")]
    instructions = [WrittenInstruction(id=instruction_id(text), text=text) for text in texts]
    with Run.start(tmp_path_factory.mktemp("run"), "test", {}, {}) as run:
        return verify(run, asker, CALLS, instructions, sandbox, SETTINGS)


def test_nothing_that_they_thought_of_is_new(tmp_path: Path, asker: Asker) -> None:
    settings = WrittenSettings(
        source="rewriting", seeds=str(DATA / "seed_instruction.txt"), examples=36, instructions=20
    )
    seeds, queries = seeds_of(settings), [writing_prompt("What is red?")]
    with Run.start(tmp_path, "test", {}, {}) as run:
        thoughts = think(run, asker, CALLS, queries, seeds, settings)
    codes = [row.reason and row.reason.code for row in sift(thoughts, queries, seeds, settings)]
    # The last of them asks for a translation.
    assert codes == ["copies_seed"] * 9 + ["uncheckable"]


def test_all_forty_replies_with_programs_are_read_after_repair(verified: Verified) -> None:
    counts = {(row.stage, row.outcome): (row.count, row.of) for row in verified.funnel}
    assert counts["replies", "kept"] == (40, 40)
    repaired = {row.outcome for row in verified.funnel if row.stage == "replies repaired"}
    assert repaired >= {"illegal_escape", "python_word", "string_boolean", "literal_newline"}
    assert len(verified.verifiers) == 40


def test_the_instruction_that_a_constant_passes_is_rejected_for_it(verified: Verified) -> None:
    first = verified.vetted[0]
    assert first.instruction.status == "rejected"
    assert first.instruction.reason is not None
    assert "constant" in first.instruction.reason.words
    assert {verifier.status for verifier in first.verifiers} == {"rejected"}
    assert all(verifier.reason for verifier in first.verifiers)
    # It is not that nothing is ever kept.
    assert len(verified.kept_ids) >= 2


def test_three_of_the_recorded_queries_can_be_paired() -> None:
    settings = PairingSettings(chosen_at_least=0.5, rejected_at_most=0)
    paired = []
    for row in rows("dpo_query_eval_score_results"):
        answers = [Answer(str(place), text, rate) for place, (text, rate) in enumerate(row["response"])]
        found = pairs(answers, settings)
        assert all(answers[int(pair.chosen)].pass_rate >= 0.5 for pair in found)
        assert all(answers[int(pair.rejected)].pass_rate == 0 for pair in found)
        paired.append(bool(found))
    assert sum(paired) == 3


def test_sixteen_of_the_twenty_recorded_judgements_let_their_prompt_pass(tmp_path: Path, asker: Asker) -> None:
    recorded = rows("query_rft_score")
    plain = [writing_prompt(row["query"]) for row in recorded]
    prompts = [
        with_instruction(prompt, row["instruction"], (str(number),))
        for number, (prompt, row) in enumerate(zip(plain, recorded, strict=True))
    ]
    answers = [
        Generation(
            id=str(number), prompt_id=prompt.id, sample=0, seed=0, text=row["response"], prompt_token_ids=(),
            token_ids=(), char_ends=(), finish="stop",
        )
        for number, (prompt, row) in enumerate(zip(prompts, recorded, strict=True))
    ]  # fmt: skip
    by_id = {prompt.id: own for prompt, own in zip(prompts, plain, strict=True)}
    with Run.start(tmp_path, "test", {}, {}) as run:
        found = judged(run, asker, CALLS, prompts, by_id, answers, least_quality=8.5)
    assert len(found.quality) == 20
    assert len(found.prompts) == 16
