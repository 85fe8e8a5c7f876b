"""`planish diff A B`."""

from planish.cli.verb import Model, Run


def diff(run: Run, before: Model, after: Model) -> None:
    """Say where two models differ, on texts that each of them writes."""
    from planish.models.bundled import writing_prompts
    from planish.recipes.diff import diff as recipe
    from planish.records.prompt import writing_prompt

    engine = run.engine_settings()
    engine.require_one_for_each()
    run.show(
        [before, after],
        lambda models, prompts, sampling: recipe(
            models[0], models[1], prompts, run.samples, sampling, run.seed, engine=engine
        ),
        writing_prompts,
        writing_prompt,
    )
