"""How many come through each stage, and why the others do not."""

from collections import Counter
from collections.abc import Iterable, Sequence

from planish.find.verifiers.reply import ParsedReply
from planish.find.verifiers.verifier import Case, Verifier
from planish.find.verifiers.vetting import InstructionVerdict, Vetted
from planish.records.record import Record


class FunnelRow(Record):
    """Of all that reached a stage, how many had this outcome: `kept`, or the code of a reason."""

    stage: str
    outcome: str
    count: int
    of: int


def funnel(replies: Sequence[ParsedReply], vetted: Sequence[Vetted]) -> list[FunnelRow]:
    """The rows of a report, stage after stage; in each `kept` first, then the reasons, the commonest first.

    Repairs and losses are counted in replies that had any, so that one reply may stand in several rows.
    """
    return [
        *tallied("replies", ["unreadable" if reply.error else "kept" for reply in replies]),
        *_marked("replies repaired", [reply.repairs for reply in replies]),
        *_marked("replies with losses", [reply.losses for reply in replies]),
        *tallied("cases", [_outcome(row) for each in vetted for row in each.cases if row.origin != "mutation"]),
        *tallied("verifiers", [_outcome(row) for each in vetted for row in each.verifiers]),
        *tallied("instructions", [_outcome(each.instruction) for each in vetted]),
    ]


def _outcome(row: Verifier | Case | InstructionVerdict) -> str:
    return "kept" if row.reason is None else row.reason.code


def tallied(stage: str, outcomes: Sequence[str]) -> list[FunnelRow]:
    """The rows of one stage: `kept` first, then the other outcomes, the commonest first; none where nothing came."""
    counts = Counter(outcomes)
    kept = [FunnelRow(stage=stage, outcome="kept", count=counts.pop("kept", 0), of=len(outcomes))]
    return [*kept, *_ranked(stage, counts, len(outcomes))] if outcomes else []


def _marked(stage: str, marks: Sequence[Iterable[str]]) -> list[FunnelRow]:
    return _ranked(stage, Counter(mark for own in marks for mark in own), len(marks))


def _ranked(stage: str, counts: Counter[str], of: int) -> list[FunnelRow]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [FunnelRow(stage=stage, outcome=outcome, count=count, of=of) for outcome, count in ranked]
