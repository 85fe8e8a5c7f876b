"""`planish prove BEFORE AFTER`."""

from pathlib import Path
from typing import Annotated

import typer

from planish.cli.verb import Model, Run


def prove(
    run: Run,
    before: Model,
    after: Model,
    ban: Annotated[
        Path | None, typer.Option(help="The list that AFTER should avoid: text, a rule a line, or JSONL.")
    ] = None,
    reference_text: Annotated[Path | None, typer.Option(help="Human prose: text or parquet. Default: our own.")] = None,
) -> None:
    """Compare two models on the same prompts: slop, and what else moved."""
    from planish.models.bundled import writing_prompts
    from planish.recipes.prove import prove as recipe
    from planish.records.ban_file import read_rules
    from planish.records.prompt import writing_prompt

    engine = run.engine_settings()
    engine.require_one_for_each()
    rules = [] if ban is None else read_rules(ban)
    run.show(
        [before, after],
        lambda models, prompts, sampling: recipe(
            models[0], models[1], prompts, rules, run.samples, sampling, run.seed, reference_text, engine=engine
        ),
        writing_prompts,
        writing_prompt,
    )
