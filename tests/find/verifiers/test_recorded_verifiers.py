"""The recorded replies of a model that was asked for verifiers, where they lie beside the repository."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planish.find.verifiers.fingerprint import agreement, fingerprint
from planish.find.verifiers.judge_reply import read_score
from planish.find.verifiers.reply import ParsedReply, parse_reply
from planish.find.verifiers.screening import screen
from planish.find.verifiers.verified import VerifiedInstructions
from planish.find.verifiers.verifier import Case, Verifier
from planish.find.verifiers.vetting import Vetted, vet
from planish.records.prompt import Prompt
from planish.records.score import Failure, Sample, Score
from planish.sandbox.job import Job
from planish.sandbox.opening import missing_of_kinds, open_sandbox
from planish.sandbox.sandbox import Sandbox

DATA = Path(__file__).parents[4] / "shared" / "data" / "autoif_sample_data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded outputs are not here")


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    if lack := missing_of_kinds()["linux"]:
        pytest.skip(f"the sandbox needs {lack}")
    with open_sandbox("linux") as opened:
        yield opened


@pytest.fixture(scope="module")
def replies() -> list[list[ParsedReply]]:
    """Of each of five instructions the replies."""
    recorded = enumerate(rows("eval_func_rft"))
    return [[parse_reply(reply, instruction_id=str(i)) for reply in row["gpt-answer"]] for i, row in recorded]


def material(replies: list[ParsedReply], instruction_id: str) -> tuple[list[Verifier], list[Case]]:
    verifiers = [
        Verifier(instruction_id=instruction_id, source=source, repairs=reply.repairs)
        for reply in replies
        for source in reply.sources
    ]
    return verifiers, [case for reply in replies for case in reply.cases]


@pytest.fixture(scope="module")
def vetted(replies: list[list[ParsedReply]], sandbox: Sandbox) -> list[Vetted]:
    own = [material(each, str(number)) for number, each in enumerate(replies)]
    return [
        vet(
            str(number),
            verifiers,
            cases,
            sandbox,
            strangers=[stranger for other, (theirs, _) in enumerate(own) if other != number for stranger in theirs],
        )
        for number, (verifiers, cases) in enumerate(own)
    ]


def test_all_forty_replies_are_read(replies: list[list[ParsedReply]]) -> None:
    whole = [reply for own in replies for reply in own]
    assert len(whole) == 40
    assert [(len(reply.sources), len(reply.cases), reply.error) for reply in whole] == [(1, 3, "")] * 40
    assert all(screen(reply.sources[0]) is None for reply in whole)


def test_the_repairs_are_those_that_were_counted_by_hand(replies: list[list[ParsedReply]]) -> None:
    whole = [reply for own in replies for reply in own]
    with_repair = Counter(kind for reply in whole for kind in reply.repairs)
    assert with_repair["illegal_escape"] == 1
    assert with_repair["python_word"] == 2
    # Five, and the one with the illegal escape.
    assert with_repair["string_boolean"] == 6
    assert sum(reply.repairs.get("literal_newline", 0) for reply in whole) == 7


def test_a_constant_passes_the_first_instruction_by_a_majority_of_verifiers_and_not_here(
    replies: list[list[ParsedReply]], vetted: list[Vetted], sandbox: Sandbox
) -> None:
    # As the paper has it, without the three replies that cannot be read without repair: none is of this instruction.
    verifiers, cases = material(replies[0], "0")
    texts = tuple(case.text for case in cases)
    answers = sandbox.run([Job(verifier.source, texts) for verifier in verifiers])
    says = [fingerprint(each).says for each in answers]
    kept = [
        case.holds
        for place, case in enumerate(cases)
        if sum(each[place] == case.holds for each in says) > 0.5 * len(says)
    ]
    assert set(kept) == {False}
    assert agreement([False] * len(kept), kept) == 1
    assert vetted[0].instruction.status == "rejected"
    constants = [verifier for verifier in vetted[0].verifiers if verifier.reason and verifier.reason.code == "constant"]
    assert len(constants) == 3
    assert vetted[0].instruction.reason is not None
    assert "constant 3" in vetted[0].instruction.reason.words


def test_no_constant_and_nothing_unexplained_comes_through(vetted: list[Vetted]) -> None:
    assert {each.instruction.status for each in vetted} == {"kept", "rejected"}
    for each in vetted:
        everything: list[Any] = [each.instruction, *each.verifiers, *each.cases]
        assert all((row.status == "rejected") == (row.reason is not None) for row in everything)
        kept = [case.holds for case in each.cases if case.status == "kept"]
        assert each.instruction.status == "rejected" or {True, False} == set(kept)


def test_an_instruction_whose_cases_all_fail_is_rejected_because_a_constant_passes(sandbox: Sandbox) -> None:
    recorded = next(row for row in rows("back_trans") if row["instruction"] == "Use words that end with '-ing'")
    verifiers = [Verifier(instruction_id="i", source=source) for source, _ in recorded["eval_func"]]
    cases = [Case(text=text, holds=holds, origin="beside") for text, holds in recorded["cases"]]
    found = vet("i", verifiers, cases, sandbox)
    assert found.instruction.reason is not None
    assert found.instruction.reason.code == "one_polarity"
    assert "always says False would pass" in found.instruction.reason.words


def test_the_other_instructions_of_that_file_are_kept(sandbox: Sandbox) -> None:
    for recorded in rows("back_trans"):
        verifiers = [Verifier(instruction_id="i", source=source) for source, _ in recorded["eval_func"]]
        cases = [Case(text=text, holds=holds, origin="beside") for text, holds in recorded["cases"]]
        status = vet("i", verifiers, cases, sandbox).instruction.status
        assert (status == "kept") == ("-ing" not in recorded["instruction"])


def test_sixteen_of_twenty_judgements_exceed_eight() -> None:
    scores = [read_score(row["gen"][0]) for row in rows("query_rft_score")]
    assert None not in scores
    assert sum(score is not None and score > 8 for score in scores) == 16


def scores(row: dict[str, Any], sandbox: Sandbox) -> list[Score | Failure]:
    """What the verifiers of a recorded row say of its responses."""
    verifiers = [Verifier(instruction_id="i", source=source, status="kept") for source, _ in row["eval_func"]]
    prompt = Prompt(text=row["prompt"], constraints=("verifier:i",))
    samples = [Sample(prompt, response, str(place)) for place, response in enumerate(row["gpt-answer"])]
    return VerifiedInstructions(verifiers, sandbox).score(samples)


def test_all_320_recorded_responses_break_their_instruction(sandbox: Sandbox) -> None:
    found = [answer for row in rows("query_rft") for answer in scores(row, sandbox)]
    assert len(found) == 320
    assert {answer.value for answer in found if isinstance(answer, Score)} == {1}
    assert not [answer for answer in found if isinstance(answer, Failure)]


def test_a_recorded_verifier_that_raises_says_nothing_of_any_response(sandbox: Sandbox) -> None:
    found = [answer for row in rows("dpo_query_w_funcs") for answer in scores(row, sandbox)]
    assert len(found) == 168
    assert all(isinstance(answer, Failure) and "ValueError" in answer.error for answer in found)
