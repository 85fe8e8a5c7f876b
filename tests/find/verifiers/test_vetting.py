"""The instruction of these tests is to write without the letter e, unless a test says otherwise."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from table_sandbox import TableSandbox

from planish.find.verifiers.verifier import Case, Verifier
from planish.find.verifiers.vetting import Vetted, vet
from planish.find.verifiers.vetting_settings import VettingSettings

GOOD = ("My cat is big", "Hi, amigo!", "A shy dog.", "Lucky")
BAD = ("The end", "Every cloud", "He slept", "We agree")
CASES = [
    *(Case(text=text, holds=True, origin="blind", instruction_id="i") for text in GOOD),
    *(Case(text=text, holds=False, origin="beside", instruction_id="i") for text in BAD),
]


def without_e(text: str) -> bool:
    return "e" not in text.lower()


def table(**judges: Callable[[str], Any]) -> tuple[TableSandbox, list[Verifier]]:
    sandbox = TableSandbox()
    return sandbox, [sandbox.verifier(name, judge) for name, judge in judges.items()]


def vetted(
    sandbox: TableSandbox,
    verifiers: Sequence[Verifier],
    cases: Sequence[Case] = CASES,
    responses: Sequence[str] = (),
    strangers: Sequence[Verifier] = (),
    **settings: Any,
) -> Vetted:
    return vet("i", verifiers, cases, sandbox, responses, strangers, VettingSettings(**settings))


def code(row: Any) -> str:
    """What became of a row; whatever is rejected has words for it."""
    assert (row.status == "rejected") == (row.reason is not None)
    assert row.reason is None or row.reason.words
    return "kept" if row.reason is None else str(row.reason.code)


def codes(rows: Sequence[Any]) -> list[str]:
    return [code(row) for row in rows]


def test_verifiers_that_are_right_are_kept_with_their_cases() -> None:
    found = vetted(*table(one=without_e, two=without_e))
    assert code(found.instruction) == "kept"
    assert codes(found.verifiers) == ["kept", "kept"]
    assert codes(found.cases[: len(CASES)]) == ["kept"] * len(CASES)
    assert found.instruction.clusters == 1
    assert [verifier.agreement for verifier in found.verifiers] == [1, 1]


def test_rows_come_back_in_their_order_whatever_became_of_them() -> None:
    sandbox, verifiers = table(one=without_e, yes=lambda text: True, two=without_e)
    verifiers.insert(1, Verifier(instruction_id="i", source="no python at all"))
    found = vetted(sandbox, verifiers)
    assert [verifier.id for verifier in found.verifiers] == [verifier.id for verifier in verifiers]
    assert [case.text for case in found.cases[: len(CASES)]] == [case.text for case in CASES]


def test_it_says_the_same_each_time() -> None:
    assert vetted(*table(one=without_e, two=without_e)) == vetted(*table(one=without_e, two=without_e))


def test_what_is_screened_out_never_runs() -> None:
    sandbox, verifiers = table(one=without_e, two=without_e)
    broken = Verifier(instruction_id="i", source="def evaluate(): return True")
    found = vetted(sandbox, [*verifiers, broken, verifiers[0]])
    assert codes(found.verifiers) == ["kept", "kept", "arguments", "duplicate"]
    assert len(sandbox.jobs) == 2
    assert codes(vetted(*table(one=without_e, two=without_e), most_chars=10).verifiers) == ["too_long"] * 2


def test_each_verifier_is_one_job_with_all_texts_once() -> None:
    sandbox, verifiers = table(one=without_e, two=without_e)
    vetted(sandbox, verifiers, [*CASES, *CASES], ["a reply", "a reply", GOOD[0]])
    assert len(sandbox.jobs) == 2
    for job in sandbox.jobs:
        assert len(job.texts) == len(set(job.texts))
        assert set(job.texts) > {*GOOD, *BAD, "a reply"}


@pytest.mark.parametrize(("verdict", "expected"), [("error", "errors"), ("timeout", "timeouts")])
def test_a_verifier_that_says_nothing_too_often_is_rejected(verdict: str, expected: str) -> None:
    def silent(text: str) -> Any:
        return verdict if text in (GOOD[0], BAD[0]) else without_e(text)

    sandbox, verifiers = table(one=without_e, two=without_e, silent=silent)
    assert codes(vetted(sandbox, verifiers, mutated_texts=0).verifiers)[2] == expected
    assert codes(vetted(sandbox, verifiers, mutated_texts=0, most_silent=0.5).verifiers)[2] == "disagrees"


def test_a_verifier_that_changes_its_mind_once_is_rejected() -> None:
    fickle = table(
        one=without_e, two=without_e, fickle=lambda t: "nondeterministic" if t == "The end" else without_e(t)
    )
    assert codes(vetted(*fickle, most_silent=0.9).verifiers) == ["kept", "kept", "nondeterministic"]


def test_constants_are_rejected_and_have_no_vote() -> None:
    many = {f"no_{number}": lambda text: False for number in range(6)}
    found = vetted(*table(one=without_e, two=without_e, yes=lambda text: True, **many))
    assert codes(found.verifiers) == ["kept", "kept", *["constant"] * 7]
    assert codes(found.cases[: len(CASES)]) == ["kept"] * len(CASES)


def test_clones_have_one_vote() -> None:
    # Four say of each text whether it is long, and two know the instruction: as persons the four would win.
    clones = {f"long_{number}": lambda text: len(text) > 6 for number in range(4)}
    found = vetted(*table(**clones, one=without_e, two=without_e))
    assert codes(found.verifiers) == [*["disagrees"] * 4, "kept", "kept"]
    assert [verifier.cluster for verifier in found.verifiers] == [0, 0, 0, 0, 1, 1]


def test_a_case_that_is_wrong_is_outvoted() -> None:
    wrong = Case(text="Green", holds=True, origin="blind", instruction_id="i")
    found = vetted(*table(one=without_e, two=without_e), cases=[wrong, *CASES])
    assert codes(found.cases[:2]) == ["outvoted", "kept"]
    assert found.cases[0].agreement == 0


def test_a_case_needs_more_than_its_share_of_the_votes() -> None:
    # Of this text the two behaviours say different things, and weigh the same.
    def lax(text: str) -> bool:
        return without_e(text) or text == "Bee"

    case = Case(text="Bee", holds=False, origin="blind", instruction_id="i")
    judges = {"one": without_e, "two": without_e, "lax": lax}
    found = vetted(*table(**judges), cases=[case, *CASES], mutated_texts=0)
    assert (code(found.cases[0]), found.cases[0].agreement is not None) == ("kept", True)
    share = found.cases[0].agreement
    assert share is not None
    assert 0.5 < share < 0.7
    stricter = vetted(*table(**judges), cases=[case, *CASES], mutated_texts=0, case_agreement=0.7)
    assert code(stricter.cases[0]) == "outvoted"


def test_a_case_that_stands_twice_is_kept_once() -> None:
    found = vetted(*table(one=without_e, two=without_e), cases=[*CASES, CASES[0]], mutated_texts=0)
    assert codes(found.cases) == [*["kept"] * len(CASES), "duplicate"]


def test_where_verifiers_and_cases_contradict_one_another_neither_is_believed() -> None:
    def odd(text: str) -> bool:
        return text in (*GOOD[:2], *BAD[:1])

    cases = [*CASES, Case(text="Eels", holds=True, origin="blind", instruction_id="i")]
    found = vetted(*table(one=odd, two=odd), cases=cases, least_kept=0.7)
    assert code(found.instruction) == "contradictory"
    assert set(codes(found.verifiers)) == {"instruction"}
    assert "kept" not in codes(found.cases)
    assert code(vetted(*table(one=odd, two=odd), cases=cases, least_kept=0.1, mutated_texts=0).instruction) == "kept"


def test_without_cases_or_verifiers_nothing_is_kept() -> None:
    assert code(vetted(*table(one=without_e, two=without_e), cases=[]).instruction) == "no_cases"
    nobody = vetted(*table())
    assert code(nobody.instruction) == "contradictory"
    assert set(codes(nobody.cases)) == {"no_votes"}


@pytest.mark.parametrize("holds", [True, False])
def test_cases_of_one_kind_alone_reject_the_instruction_for_a_constant_would_pass(holds: bool) -> None:
    cases = [case for case in CASES if case.holds == holds]
    found = vetted(*table(one=without_e, two=without_e), cases=cases, responses=[*GOOD, *BAD])
    assert code(found.instruction) == "one_polarity"
    assert found.instruction.reason is not None
    assert f"always says {holds} would pass" in found.instruction.reason.words
    assert set(codes(found.verifiers)) == {"instruction"}


def test_how_many_of_each_kind_are_needed_can_be_set() -> None:
    cases = CASES[:5]
    assert code(vetted(*table(one=without_e, two=without_e), cases=cases).instruction) == "kept"
    found = vetted(*table(one=without_e, two=without_e), cases=cases, least_of_each=2)
    assert code(found.instruction) == "one_polarity"


def test_a_verifier_must_be_right_on_its_share_of_kept_cases() -> None:
    def nearly(text: str) -> bool:
        return without_e(text) or text in BAD[:2]

    sandbox, verifiers = table(one=without_e, two=without_e, nearly=nearly)
    assert codes(vetted(sandbox, verifiers).verifiers) == ["kept", "kept", "disagrees"]
    found = vetted(sandbox, verifiers, verifier_agreement=0.75)
    assert codes(found.verifiers) == ["kept", "kept", "kept"]
    assert found.verifiers[2].agreement == 0.75


def test_a_verifier_no_better_than_a_constant_is_rejected_however_often_it_is_right() -> None:
    # Of nine kept cases eight hold: so often is a constant right, and so is a verifier that misses one of them.
    cases = [*(Case(text=f"{text}{mark}", holds=True, origin="blind") for text in GOOD for mark in ("", "!")), CASES[4]]

    def misses_one(text: str) -> bool:
        return without_e(text) and text != cases[0].text

    found = vetted(*table(one=without_e, two=without_e, misses=misses_one), cases=cases)
    assert found.verifiers[2].agreement == 8 / 9
    assert codes(found.verifiers) == ["kept", "kept", "not_better_than_constant"]


def test_verifiers_of_other_instructions_must_do_worse() -> None:
    sandbox, verifiers = table(one=without_e, two=without_e)
    # It looks for something else, and is right as well: these cases do not show what is asked.
    same = [sandbox.verifier("no_en", lambda text: text in GOOD, instruction_id="j")]
    other = [
        sandbox.verifier(f"long_{n}", lambda text, n=n: len(text) > n, instruction_id="k")  # type: ignore[misc]
        for n in range(5, 12)
    ]
    assert code(vetted(sandbox, verifiers, strangers=other).instruction) == "kept"
    found = vetted(sandbox, verifiers, strangers=[*same, *other])
    assert set(codes(found.verifiers)) == {"not_specific"}
    assert code(found.instruction) == "too_few_verifiers"
    assert code(vetted(sandbox, verifiers, strangers=[*same, *other], most_strangers=0.3).instruction) == "kept"


def test_strangers_that_behave_alike_count_once() -> None:
    sandbox, verifiers = table(one=without_e, two=without_e)
    same = [sandbox.verifier(f"same_{n}", lambda text: text in GOOD, instruction_id="j") for n in range(9)]
    other = [
        sandbox.verifier(f"word_{n}", lambda text, n=n: text == (*GOOD, *BAD)[n], instruction_id="k")  # type: ignore[misc]
        for n in range(8)
    ]
    found = vetted(sandbox, verifiers, strangers=[*same, *other], most_strangers=0.12)
    assert code(found.instruction) == "kept"


def test_a_verifier_that_notices_too_few_small_changes_is_rejected() -> None:
    def one_line(text: str) -> bool:
        return without_e(text) and "\n" not in text

    # The last one knows the cases by heart, and lets everything else pass.
    sandbox, verifiers = table(one=without_e, one_line=one_line, learned=lambda text: text not in BAD)
    found = vetted(sandbox, verifiers)
    assert codes(found.verifiers) == ["kept", "kept", "mutation"]
    assert [verifier.mutation_score for verifier in found.verifiers] == [1, 1, 0]
    for rule in ("least_mutation_score", "mutated_texts", "mutants_a_text"):
        settings: dict[str, Any] = {rule: 0, "partner_agreement": 0}
        lenient = vetted(sandbox, verifiers, **settings)
        assert codes(lenient.verifiers) == ["kept", "kept", "kept"]


def test_small_changes_become_cases_by_what_most_votes_say() -> None:
    found = vetted(*table(one=without_e, two=without_e))
    changed = found.cases[len(CASES) :]
    assert {case.holds for case in changed} == {True, False}
    for case in changed:
        assert (case.origin, code(case), case.instruction_id) == ("mutation", "kept", "i")
        assert case.holds == without_e(case.text)
        assert case.text not in {each.text for each in CASES}


def test_a_seed_names_the_small_changes() -> None:
    texts = {
        tuple(case.text for case in vetted(*table(one=without_e, two=without_e), seed=seed).cases) for seed in (0, 0, 1)
    }
    assert len(texts) == 2


def test_responses_are_changed_too_where_they_pass() -> None:
    response = "Sunny days"
    sandbox, verifiers = table(one=without_e, two=without_e)
    found = vetted(sandbox, verifiers, responses=[response, "These fail"], mutated_texts=20)
    texts = [case.text for case in found.cases[len(CASES) :]]
    assert any("Sunny" in text for text in texts)
    assert not any("These" in text for text in texts)


def test_nobody_is_believed_alone() -> None:
    def with_luck(text: str) -> bool:
        return text in GOOD

    sandbox, verifiers = table(one=without_e, luck=with_luck)
    # They agree on the cases, and on hardly anything else.
    responses = [f"Many small words {number}" for number in range(40)]
    rules: dict[str, Any] = {"mutated_texts": 0}
    found = vetted(sandbox, verifiers, responses=responses, **rules)
    assert codes(found.verifiers) == ["alone", "alone"]
    assert code(found.instruction) == "too_few_verifiers"
    assert code(vetted(sandbox, verifiers, responses=responses, partner_agreement=0.1, **rules).instruction) == "kept"


def test_how_many_verifiers_an_instruction_needs_can_be_set() -> None:
    sandbox, verifiers = table(one=without_e, yes=lambda text: True)
    found = vetted(sandbox, verifiers)
    assert codes(found.verifiers) == ["alone", "constant"]
    assert code(found.instruction) == "too_few_verifiers"
    assert set(codes(found.cases)) == {"instruction"}
    assert codes(vetted(sandbox, verifiers, least_verifiers=1).verifiers) == ["kept", "constant"]
    two = table(one=without_e, two=without_e)
    assert code(vetted(*two).instruction) == "kept"
    assert code(vetted(*two, least_verifiers=3).instruction) == "too_few_verifiers"


def test_a_copy_of_a_source_is_no_second_opinion() -> None:
    sandbox, verifiers = table(one=without_e)
    found = vetted(sandbox, [verifiers[0], verifiers[0]])
    assert codes(found.verifiers) == ["alone", "duplicate"]


def test_booleans_that_were_spelled_as_texts_are_noted() -> None:
    sandbox, verifiers = table(one=without_e, two=without_e)
    answer = sandbox.run

    def spelled(jobs: Any) -> Any:
        return [[each._replace(repaired=True) for each in own] for own in answer(jobs)]

    sandbox.run = spelled  # type: ignore[method-assign]
    found = vetted(sandbox, verifiers)
    assert {verifier.repairs["answer_as_text"] for verifier in found.verifiers} == {len(sandbox.jobs[0].texts)}
