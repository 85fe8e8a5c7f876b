"""Instructions that a model wrote, with verifiers that can be trusted: from queries to prompts that can be checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from planish.find.instructions.prompt import with_instruction
from planish.find.verifiers.funnel import FunnelRow, funnel, tallied
from planish.find.verifiers.verified import verifier_constraint
from planish.find.verifiers.verifier import Verifier
from planish.find.verifiers.vetting import Vetted
from planish.recipes.asking import Asker
from planish.recipes.benchmark_text import BenchmarkText
from planish.recipes.calls import Calls
from planish.recipes.sifting import WrittenInstruction, sift
from planish.recipes.thoughts import seeds_of, think
from planish.recipes.written_settings import WrittenSettings
from planish.recipes.written_verifiers import write_cases, write_verifiers
from planish.recipes.written_vetting import back_translate, vet_all
from planish.records.prompt import Prompt
from planish.runs.run import Run
from planish.sandbox.sandbox import Sandbox

# All verifiers with what became of them, in the folder of the run.
VERIFIERS = "verifiers.jsonl"


class Verified(NamedTuple):
    """The instructions that were vetted, and how many of everything came through."""

    vetted: list[Vetted]
    funnel: list[FunnelRow]

    @property
    def verifiers(self) -> list[Verifier]:
        """Of all instructions, kept and rejected."""
        return [verifier for each in self.vetted for verifier in each.verifiers]

    @property
    def kept_ids(self) -> list[str]:
        """The ids of the instructions that can be used."""
        return [each.instruction.instruction_id for each in self.vetted if each.instruction.status == "kept"]


class WrittenInstructions(NamedTuple):
    """Prompts with an instruction in each, by the ids of these the same without it, and where all others went."""

    prompts: list[Prompt]
    plain: dict[str, Prompt]
    verifiers: list[Verifier]
    funnel: list[FunnelRow]
    notes: list[str]


def write_instructions(
    run: Run,
    asker: Asker,
    calls: Calls,
    queries: Sequence[Prompt],
    sandbox: Sandbox,
    settings: WrittenSettings,
    seed: int = 0,
) -> WrittenInstructions:
    """Have a model write instructions and programs that check them, and keep those that can be trusted.

    Nothing that a model replies ends the run: what is of no use is counted, with its reason.

    Args:
        run: is open.
        asker: asks the model.
        calls: in these words.
        queries: what people asked; with text or messages.
        sandbox: where verifiers run; opened.
        settings: the rules.
        seed: of what is drawn.

    Raises:
        DataError: a file of the settings cannot be read, or a recorded run lacks a reply.
        ModelError: the model cannot answer any more.
    """
    seeds = seeds_of(settings)
    benchmark = BenchmarkText(Path(settings.not_like)) if settings.not_like else None
    thoughts = think(run, asker, calls, queries, seeds, settings, seed)
    rows = run.rows_at_once(
        "instructions", WrittenInstruction, lambda: sift(thoughts, queries, seeds, settings, benchmark, seed)
    )
    kept = [row for row in rows if row.status == "kept"]
    verified = verify(run, asker, calls, kept, sandbox, settings, seed)
    prompts, plain = _asked(rows, verified.kept_ids, queries)
    outcomes = ["kept" if row.reason is None else row.reason.code for row in rows]
    note = (
        f"instructions: {len(rows)} thought of, {len(kept)} of them new and checkable, "
        f"{len(verified.kept_ids)} with verifiers that can be trusted, asked for in {len(prompts)} prompts"
    )
    return WrittenInstructions(
        prompts, plain, verified.verifiers, [*tallied("thoughts", outcomes), *verified.funnel], [note]
    )


def verify(
    run: Run,
    asker: Asker,
    calls: Calls,
    instructions: Sequence[WrittenInstruction],
    sandbox: Sandbox,
    settings: WrittenSettings,
    seed: int = 0,
) -> Verified:
    """Have verifiers and cases written for instructions, and judge them by one another; see `write_instructions`."""
    written = write_verifiers(run, asker, calls, instructions, settings)
    written += write_cases(run, asker, calls, instructions, written, settings)
    vetted = vet_all(run, instructions, written, sandbox, settings, seed)
    if settings.back_translation:
        vetted = back_translate(run, asker, calls, instructions, vetted, settings)
    found = Verified(vetted, funnel([reply.parsed for reply in written], vetted))
    run.file(VERIFIERS, "".join(verifier.model_dump_json() + "\n" for verifier in found.verifiers))
    return found


def _asked(
    rows: Sequence[WrittenInstruction], kept_ids: Sequence[str], queries: Sequence[Prompt]
) -> tuple[list[Prompt], dict[str, Prompt]]:
    """Each instruction in each of its queries, and these without it."""
    by_id = {query.id: query for query in queries}
    texts = {row.id: row.text for row in rows if row.status == "kept" and row.id in set(kept_ids)}
    prompts, plain = {}, {}
    for row in rows:
        if row.id in texts and (row.reason is None or row.reason.code == "duplicate"):
            for prompt_id in row.prompt_ids:
                asked = with_instruction(by_id[prompt_id], texts[row.id], (verifier_constraint(row.id),))
                prompts[asked.id], plain[asked.id] = asked, by_id[prompt_id]
    return list(prompts.values()), plain
