"""Two models on the same prompts: whether slop went, and what that cost."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from planish.errors import UsageError
from planish.find.slop import Slop
from planish.models.bundled import slop_index_rules
from planish.models.language_model import LanguageModel
from planish.prove.evidence import HELD_OUT
from planish.prove.reference import reference_passages
from planish.prove.report import examples_of, report_html
from planish.prove.slop_evidence import antislop_evidence
from planish.recipes.engine_settings import EngineSettings
from planish.recipes.outcome import Outcome
from planish.recipes.writer import write_all
from planish.records.prompt import Prompt
from planish.records.rule import BanRule
from planish.steer.sampling import Sampling

# So many prompts are shown with what both wrote.
EXAMPLES = 24


def prove(  # noqa: PLR0913 - a comparison has as many parts
    before: LanguageModel,
    after: LanguageModel,
    prompts: Sequence[Prompt],
    rules: Sequence[BanRule] = (),
    samples: int = 4,
    sampling: Sampling | None = None,
    seed: int = 0,
    reference: Path | None = None,
    *,
    engine: EngineSettings | None = None,
) -> Outcome:
    """Let both models write, and compare what they wrote and what they foresee.

    Args:
        before: the model before.
        after: the model after; it must have the same tokenizer and the same chat template.
        prompts: all are used: nothing is trained.
        rules: the list that the model after should avoid, if there is one.
        samples: texts a prompt and model.
        sampling: how texts are drawn.
        seed: of every draw, the same for both models.
        reference: human prose, a text or parquet file; by default our own.
        engine: what writes the texts of both; a server that is there already has one model, and cannot.

    Raises:
        UsageError: the two models would not see the same prompts, or the engine cannot write for both.
        DataError: the reference text cannot be read.
    """
    before.require_same_tokenizer(after)
    if before.template_hash != after.template_hash:
        raise UsageError(
            f"{before.name!r} and {after.name!r} have different chat templates, so they would see different prompts",
            "give two models with one chat template",
        )
    passages = reference_passages(reference)

    first, second = write_all((before, after), prompts, samples, sampling, seed, engine)
    discovered, index = Slop(rules) if rules else None, Slop(slop_index_rules())
    judged = antislop_evidence(before, after, prompts, first, second, discovered, index, passages)
    evidence = [line.model_copy(update={"group": "prompts"}) if line.group == HELD_OUT else line for line in judged]
    # A recipe holds prompts out; here nobody can know what the models have seen.
    note = f"all {len(prompts)} prompts judge: give some that neither model was trained on"
    page = report_html(
        f"planish prove {before.name} {after.name}",
        f"{len(prompts)} prompts, {samples} texts each",
        evidence,
        rules=rules,
        examples=examples_of(prompts, first, second, discovered or index)[:EXAMPLES],
        settings={
            "seed": seed,
            "samples": samples,
            "engine": (engine or EngineSettings()).engine,
            **(sampling or Sampling()).model_dump(exclude_none=True),
            "before": before.model_hash,
            "after": after.model_hash,
            "reference": str(reference or "our own"),
        },
        reproduce=shlex.join(
            ["planish", "prove", before.name, after.name, "--samples", str(samples), "--seed", str(seed)]
            + ([] if engine is None else ["--engine", engine.engine])
        ),
        notes=[
            note,
            "To reproduce, give the same --prompts, --limit, --max-tokens, --set, --ban and --reference-text.",
        ],
    )
    return Outcome(evidence, rows={"before": first, "after": second, "bans": rules}, notes=[note], report=page)
