"""`planish autoif MODEL`."""

from planish.cli.verb import Model, Run


def autoif(run: Run, model: Model) -> None:
    """Teach a model to follow checkable instructions, from its own answers."""
    from planish.models.bundled import writing_prompts
    from planish.recipes.autoif import autoif as recipe
    from planish.records.prompt import writing_prompt

    engine = run.engine_settings()
    run.show(
        [model],
        lambda models, prompts, sampling: recipe(models[0], prompts, run.samples, sampling, run.seed, engine=engine),
        writing_prompts,
        writing_prompt,
    )
