"""Programs that check instructions, and cases that check the programs, as a model writes them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from planish.find.verifiers.reply import ParsedReply, parse_reply
from planish.find.verifiers.screening import screen
from planish.find.verifiers.verifier import Case, CaseOrigin, Verifier
from planish.recipes.asking import Asker
from planish.recipes.blocks import rows_in_blocks
from planish.recipes.calls import Calls
from planish.recipes.sifting import WrittenInstruction
from planish.recipes.written_settings import WrittenSettings
from planish.records.record import Record
from planish.records.reply import Reply, Request
from planish.runs.run import Run


class ReadReply(Record):
    """What could be read in a reply about an instruction; see `ParsedReply`. `origin` is where its text is stored."""

    instruction_id: str
    asked_for: Literal["verifier", "blind", "beside"]
    origin: str
    sources: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    repairs: Mapping[str, int] = Field(default_factory=dict)
    losses: Mapping[str, int] = Field(default_factory=dict)
    error: str = ""

    @property
    def parsed(self) -> ParsedReply:
        """The same as the parser hands it out."""
        return ParsedReply(self.sources, self.cases, self.repairs, self.losses, self.error)

    def verifiers(self) -> list[Verifier]:
        """A verifier for each source."""
        return [
            Verifier(instruction_id=self.instruction_id, source=source, origin=self.origin, repairs=self.repairs)
            for source in self.sources
        ]


class _Question(NamedTuple):
    """What is asked about an instruction."""

    instruction_id: str
    asked_for: Literal["verifier", "blind", "beside"]
    request: Request


def write_verifiers(
    run: Run, asker: Asker, calls: Calls, instructions: Sequence[WrittenInstruction], settings: WrittenSettings
) -> list[ReadReply]:
    """Replies with programs. Cases that a reply holds as well were written beside its own program."""

    def replies(some: Sequence[WrittenInstruction]) -> list[ReadReply]:
        return _answered(
            asker,
            [_Question(each.id, "verifier", calls.write_verifier(each.text, settings.verifiers)) for each in some],
        )

    return rows_in_blocks(run, "verifiers", ReadReply, instructions, replies, settings.block)


def write_cases(
    run: Run,
    asker: Asker,
    calls: Calls,
    instructions: Sequence[WrittenInstruction],
    written: Sequence[ReadReply],
    settings: WrittenSettings,
) -> list[ReadReply]:
    """Replies with cases: from somebody who has seen no program, and against each program."""
    verifiers = by_instruction(written)

    def questions(instruction: WrittenInstruction) -> list[_Question]:
        asked = []
        if settings.blind_replies:
            request = calls.write_cases_blind(instruction.text, settings.blind_cases, settings.blind_replies)
            asked.append(_Question(instruction.id, "blind", request))
        # What is not even tried needs no cases, and programs that differ in their layout need them once.
        tried = {each.id: each for each in verifiers[instruction.id] if _is_tried(each, settings)}
        for verifier in tried.values() if settings.beside_cases else ():
            request = calls.write_cases_beside(instruction.text, verifier.source, settings.beside_cases)
            asked.append(_Question(instruction.id, "beside", request))
        return asked

    def replies(some: Sequence[WrittenInstruction]) -> list[ReadReply]:
        return _answered(asker, [question for each in some for question in questions(each)])

    return rows_in_blocks(run, "cases", ReadReply, instructions, replies, settings.block)


def by_instruction(written: Sequence[ReadReply]) -> defaultdict[str, list[Verifier]]:
    """The verifiers of each instruction."""
    verifiers = defaultdict[str, list[Verifier]](list)
    for reply in written:
        verifiers[reply.instruction_id] += reply.verifiers()
    return verifiers


def _is_tried(verifier: Verifier, settings: WrittenSettings) -> bool:
    return screen(verifier.source, settings.vetting.most_chars) is None


def _answered(asker: Asker, questions: Sequence[_Question]) -> list[ReadReply]:
    answers = asker.ask([question.request for question in questions])
    return [_read(reply, question) for question, own in zip(questions, answers, strict=True) for reply in own]


def _read(reply: Reply, question: _Question) -> ReadReply:
    found = ReadReply(
        instruction_id=question.instruction_id,
        asked_for=question.asked_for,
        origin=f"{reply.key} {reply.sample}",
        error=reply.error,
    )
    if reply.status == "failed":
        return found
    origin: CaseOrigin = "blind" if question.asked_for == "blind" else "beside"
    parsed = parse_reply(reply.text, origin, question.instruction_id)._asdict()
    if question.asked_for != "verifier":
        parsed["sources"] = ()
    return found.model_copy(update=parsed)
