"""Which verifiers that a model wrote can be trusted."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from planish.find.inference import Inference
from planish.find.verifiers.back_translation import without_contradicted
from planish.find.verifiers.judge_reply import read_yes_no
from planish.find.verifiers.screening import screen
from planish.find.verifiers.verifier import Case, Reason, Verifier
from planish.find.verifiers.vetting import InstructionVerdict, Vetted, vet
from planish.recipes.asking import Asker
from planish.recipes.blocks import rows_in_blocks
from planish.recipes.calls import Calls
from planish.recipes.sifting import WrittenInstruction
from planish.recipes.written_settings import WrittenSettings
from planish.recipes.written_verifiers import ReadReply, by_instruction
from planish.records.record import Record
from planish.runs.run import Run
from planish.sandbox.sandbox import Sandbox


class VettedInstruction(Record):
    """See `Vetted`."""

    verdict: InstructionVerdict
    verifiers: tuple[Verifier, ...]
    cases: tuple[Case, ...]

    @property
    def vetted(self) -> Vetted:
        """The same as vetting hands it out."""
        return Vetted(self.verdict, list(self.verifiers), list(self.cases))


class Description(Record):
    """What a model that saw a source alone says that it checks, and whether that is what the instruction says.

    None where the judge could not be understood, or nothing was said.
    """

    instruction_id: str
    verifier_id: str
    text: str
    says_the_same: bool | None = None


def vet_all(
    run: Run,
    instructions: Sequence[WrittenInstruction],
    written: Sequence[ReadReply],
    sandbox: Sandbox,
    settings: WrittenSettings,
    seed: int = 0,
) -> list[Vetted]:
    """Every instruction with its verifiers and cases, and what became of them."""
    verifiers = by_instruction(written)
    cases = defaultdict[str, list[Case]](list)
    for reply in written:
        cases[reply.instruction_id] += reply.cases
    strangers = _Strangers(verifiers, settings, seed)

    def vetted(some: Sequence[WrittenInstruction]) -> list[VettedInstruction]:
        return [_row(judge(instruction.id)) for instruction in some]

    def judge(name: str) -> Vetted:
        return vet(name, verifiers[name], cases[name], sandbox, (), strangers.of(name), settings.vetting)

    rows = rows_in_blocks(run, "vet", VettedInstruction, instructions, vetted, settings.block)
    return [row.vetted for row in rows]


class _Strangers:
    """A verifier of each instruction that runs, for the others to be better than."""

    def __init__(self, verifiers: Mapping[str, Sequence[Verifier]], settings: WrittenSettings, seed: int) -> None:
        most_chars = settings.vetting.most_chars
        self._count, self._seed = settings.strangers, seed
        self._first = {
            name: running[0]
            for name, own in verifiers.items()
            if (running := [each for each in own if screen(each.source, most_chars) is None])
        }

    def of(self, name: str) -> list[Verifier]:
        """Some of other instructions, the same each time."""
        draws = random.Random(f"{self._seed} {name}")
        drawn = draws.sample(list(self._first), min(self._count + 1, len(self._first)))
        return [self._first[other] for other in drawn if other != name][: self._count]


def back_translate(
    run: Run,
    asker: Asker,
    calls: Calls,
    instructions: Sequence[WrittenInstruction],
    vetted: Sequence[Vetted],
    settings: WrittenSettings,
) -> list[Vetted]:
    """The same, without verifiers of which somebody says something else than their instruction."""
    texts = {instruction.id: instruction.text for instruction in instructions}
    kept = [each for own in vetted for each in own.verifiers if each.status == "kept"]

    def described(some: Sequence[Verifier]) -> list[Description]:
        return _compared_with(texts, _described(asker, calls, some, settings.descriptions), judge)

    def judge(pairs: Sequence[tuple[str, str]]) -> list[bool | None]:
        if inference is not None:
            return [not contradicts for contradicts in inference.contradicts(pairs)]
        judged = asker.ask([calls.judge_same(*pair) for pair in pairs])
        return [read_yes_no(reply.text) for [reply] in judged]

    inference = Inference(settings.inference) if settings.inference is not None and kept else None

    rows = rows_in_blocks(run, "back-translation", Description, kept, described, settings.block)
    said: dict[str, dict[str, list[bool | None]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        said[row.instruction_id][row.verifier_id].append(row.says_the_same)
    return [_compared(each, said[each.instruction.instruction_id], settings) for each in vetted]


def _described(asker: Asker, calls: Calls, verifiers: Sequence[Verifier], samples: int) -> list[Description]:
    replies = asker.ask([calls.back_translate(verifier.source, samples) for verifier in verifiers])
    return [
        Description(instruction_id=verifier.instruction_id, verifier_id=verifier.id, text=reply.text.strip())
        for verifier, own in zip(verifiers, replies, strict=True)
        for reply in own
    ]


def _compared_with(
    texts: Mapping[str, str],
    rows: Sequence[Description],
    judge: Callable[[Sequence[tuple[str, str]]], list[bool | None]],
) -> list[Description]:
    told = [row for row in rows if row.text]
    said = judge([(texts[row.instruction_id], row.text) for row in told])
    compared = [row.model_copy(update={"says_the_same": each}) for row, each in zip(told, said, strict=True)]
    return [*(row for row in rows if not row.text), *compared]


def _compared(vetted: Vetted, said: Mapping[str, Sequence[bool | None]], settings: WrittenSettings) -> Vetted:
    verifiers = without_contradicted(vetted.verifiers, said, settings.least_agreement)
    standing = [verifier for verifier in verifiers if verifier.status == "kept"]
    verdict = vetted.instruction.model_copy(update={"clusters": len({verifier.cluster for verifier in standing})})
    if verdict.status == "kept" and len(standing) < settings.vetting.least_verifiers:
        words = f"{len(standing)} of its verifiers are left when their descriptions were compared with it"
        verdict = verdict.model_copy(
            update={"status": "rejected", "reason": Reason(code="back_translation", words=words), "clusters": 0}
        )
        verifiers = [
            each.rejected("instruction", f"its instruction is rejected: {words}") if each.status == "kept" else each
            for each in verifiers
        ]
    return Vetted(verdict, verifiers, vetted.cases)


def _row(vetted: Vetted) -> VettedInstruction:
    return VettedInstruction(verdict=vetted.instruction, verifiers=tuple(vetted.verifiers), cases=tuple(vetted.cases))
