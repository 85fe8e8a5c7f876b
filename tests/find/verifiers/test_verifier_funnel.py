from planish.find.verifiers.funnel import funnel
from planish.find.verifiers.reply import parse_reply
from planish.find.verifiers.verifier import Case, Reason, Verifier
from planish.find.verifiers.vetting import InstructionVerdict, Vetted


def test_every_row_is_in_one_outcome_of_its_stage() -> None:
    replies = [
        parse_reply(text) for text in ("", '[{"text": "a", "holds": True}]', '[{"text": "a", "holds": True}, 3]')
    ]
    verifier = Verifier(instruction_id="i", source="def evaluate(a): return True")
    case = Case(text="a", holds=True, origin="blind")
    kept = InstructionVerdict(instruction_id="i", status="kept")
    reason = Reason(code="one_polarity", words="why")
    vetted = [
        Vetted(
            kept,
            [verifier, verifier.rejected("constant", "why")],
            [case, case.model_copy(update={"origin": "mutation"})],
        ),
        Vetted(
            InstructionVerdict(instruction_id="j", status="rejected", reason=reason),
            [verifier.rejected("constant", "why"), verifier.rejected("alone", "why")],
            [case.rejected("outvoted", "why")],
        ),
    ]
    assert [(row.stage, row.outcome, row.count, row.of) for row in funnel(replies, vetted)] == [
        ("replies", "kept", 2, 3),
        ("replies", "unreadable", 1, 3),
        ("replies repaired", "no_fence", 2, 3),
        ("replies repaired", "python_word", 2, 3),
        ("replies with losses", "case_without_text", 1, 3),
        ("cases", "kept", 1, 2),
        ("cases", "outvoted", 1, 2),
        ("verifiers", "kept", 1, 4),
        ("verifiers", "constant", 2, 4),
        ("verifiers", "alone", 1, 4),
        ("instructions", "kept", 1, 2),
        ("instructions", "one_polarity", 1, 2),
    ]


def test_a_stage_that_nothing_reached_has_no_rows() -> None:
    assert funnel([], []) == []
